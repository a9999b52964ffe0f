//! Makes client and server of the gRPC service in `tests/tonic.rs`, without protoc.

use tonic_build::manual::{Builder, Method, MethodBuilder, Service};

fn method(name: &str, route: &str) -> MethodBuilder {
    Method::builder()
        .name(name)
        .route_name(route)
        .input_type("crate::Amount")
        .output_type("crate::Balance")
        .codec_path("tonic_prost::ProstCodec")
}

fn main() {
    let bank = Service::builder()
        .name("Bank")
        .package("bank")
        .method(method("deposit", "Deposit").build())
        .method(method("ponder", "Ponder").build())
        .method(method("watch", "Watch").server_streaming().build())
        .method(method("transfer", "Transfer").client_streaming().server_streaming().build());
    Builder::new().compile(&[bank.build()]);
}
