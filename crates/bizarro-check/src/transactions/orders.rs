//! Which transactions come before which because of when they were.

use std::collections::BTreeMap;

use super::anomaly::Order;
use super::graph::{Edges, kind};
use crate::history::{History, Outcome, Process};

/// Adds the order edges of a level between transactions that took effect. What has no known end comes before
/// nothing by its time.
pub(super) fn add<C, R>(
    edges: &mut Edges,
    history: &History<C, R>,
    took_effect: &[bool],
    order: Order,
) {
    match order {
        Order::None => {}
        Order::Process => processes(edges, history, took_effect),
        Order::Realtime => {
            // Part of the other, and better to read.
            processes(edges, history, took_effect);
            real_time(edges, history, took_effect);
        }
    }
}

fn processes<C, R>(edges: &mut Edges, history: &History<C, R>, took_effect: &[bool]) {
    let mut last: BTreeMap<Process, u32> = BTreeMap::new();
    for (index, operation) in history.operations().iter().enumerate() {
        if !took_effect[index] {
            continue;
        }
        if let Some(last) = last.get(&operation.process) {
            edges.add(*last, index as u32, kind::PROCESS);
        }
        if matches!(operation.outcome, Outcome::Ok(_)) {
            last.insert(operation.process, index as u32);
        }
    }
}

/// A chain of nodes, one for each end: a transaction leads to the node of its own end, and the node of the
/// last end before a transaction began leads to it. So edges are few, however many overlap.
fn real_time<C, R>(edges: &mut Edges, history: &History<C, R>, took_effect: &[bool]) {
    let mut ends: Vec<(u32, u32)> = history
        .operations()
        .iter()
        .enumerate()
        .filter(|(index, it)| took_effect[*index] && matches!(it.outcome, Outcome::Ok(_)))
        .filter_map(|(index, it)| Some((it.ended?.position, index as u32)))
        .collect();
    ends.sort_unstable();
    let mut ends = ends.into_iter().peekable();
    let mut chain: Option<u32> = None;
    for (index, operation) in history.operations().iter().enumerate() {
        if !took_effect[index] {
            continue;
        }
        // Ends between two invocations share a node.
        let mut link = None;
        while let Some((_, ended)) = ends.next_if(|(end, _)| *end < operation.invoked.position) {
            let link = *link.get_or_insert_with(|| edges.between());
            edges.add(ended, link, kind::REALTIME);
        }
        if let Some(link) = link {
            if let Some(before) = chain {
                edges.add(before, link, kind::REALTIME);
            }
            chain = Some(link);
        }
        if let Some(chain) = chain {
            edges.add(chain, index as u32, kind::REALTIME);
        }
    }
}
