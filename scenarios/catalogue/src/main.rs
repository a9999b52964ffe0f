//! The programs on one machine, each a process of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use catalogue::{balancer, http, server, site, visitor};
use clap::{Parser, Subcommand};

/// A catalogue, a balancer, a site and a visitor.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answer what is known of products.
    Server {
        /// Say what is, also where the disk is full
        #[arg(long)]
        truthful: bool,
        /// Address and port to listen on
        #[arg(long, default_value = "127.0.0.1:8081")]
        listen: String,
        /// Directory of products and counts, which is filled
        #[arg(long)]
        data: PathBuf,
    },
    /// Spread requests over servers.
    Balancer {
        /// Look at replies
        #[arg(long)]
        guarded: bool,
        /// Address and port to listen on
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: String,
        /// URLs of the servers
        #[arg(required = true)]
        servers: Vec<String>,
    },
    /// Make pages.
    Site {
        /// Address and port to listen on
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: String,
        /// Where the balancer is
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        catalogue: String,
    },
    /// Look at every page.
    Visitor {
        /// Where the site is
        #[arg(long, default_value = "http://127.0.0.1:8090")]
        site: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::parse().role {
        Role::Server { truthful, listen, data } => {
            let products = data.join("products");
            if let Err(error) = server::stock(&products) {
                eprintln!("server cannot fill {}: {error}", products.display());
                return ExitCode::FAILURE;
            }
            let shop = server::Shop::open(&products, &data);
            let app = if truthful { server::truthful::app } else { server::hurried::app };
            http::run("server", &listen, app(shop)).await
        }
        Role::Balancer { guarded, listen, servers } => {
            let app = if guarded { balancer::guarded::app } else { balancer::fastest::app };
            http::run("balancer", &listen, app(&servers)).await
        }
        Role::Site { listen, catalogue } => http::run("site", &listen, site::app(catalogue)).await,
        Role::Visitor { site } => {
            visitor::visit(&site).await;
            ExitCode::SUCCESS
        }
    }
}
