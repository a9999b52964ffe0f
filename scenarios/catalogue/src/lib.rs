//! The remote catalogue of "Challenges with distributed systems" (Amazon Builders' Library): one server's disk is full, so
//! it answers empty replies, very fast; a balancer that favours the fastest sends everything to it; the whole site is
//! down.
//!
//! Ordinary programs, each a plain function that takes its settings from the environment: [`server::hurried::main`] and
//! [`server::truthful::main`] answer what is known of a product, [`balancer::fastest::main`] and
//! [`balancer::guarded::main`] spread requests over such servers, [`site::main`] makes pages of what it is told, and
//! [`visitor::main`] looks at them. [`product`] is what all of them mean by a product, and how a reply is believed.

pub mod balancer;
pub mod http;
pub mod product;
pub mod server;
pub mod site;
pub mod visitor;
