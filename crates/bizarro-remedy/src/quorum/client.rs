//! Reads and writes of a register over any transport.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::register::{Operation, Progress, Reply, Request};

/// How requests get to replicas.
pub trait Transport<V>: Send + Sync + 'static {
    /// Asks the replica of this number; nothing if no answer came, for whatever reason. It should give up after about a
    /// round trip, because it is asked again.
    fn ask(
        &self,
        replica: usize,
        request: Request<V>,
    ) -> impl Future<Output = Option<Reply<V>>> + Send;
}

/// A register on replicas.
///
/// An operation ends when a majority has answered. It asks for as long as it is awaited: put a time-out around it
/// (`tokio::time::timeout`). A write that was given up may have been made, or may be made yet by a later read.
#[derive(Debug)]
pub struct Register<T> {
    transport: Arc<T>,
    replicas: usize,
    pause: Duration,
}

impl<T> Clone for Register<T> {
    fn clone(&self) -> Register<T> {
        Register { transport: self.transport.clone(), replicas: self.replicas, pause: self.pause }
    }
}

impl<T> Register<T> {
    /// On so many replicas. A replica that did not answer is asked again after a `pause`.
    pub fn new(transport: T, replicas: usize, pause: Duration) -> Register<T> {
        Register { transport: Arc::new(transport), replicas, pause }
    }

    /// How the replicas are asked.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Reads.
    pub async fn read<V>(&self) -> V
    where
        V: Clone + Send + 'static,
        T: Transport<V>,
    {
        self.make(Operation::read(self.replicas)).await
    }

    /// Writes. `writer` is as for [`Operation::write`].
    pub async fn write<V>(&self, value: V, writer: u64)
    where
        V: Clone + Send + 'static,
        T: Transport<V>,
    {
        self.make(Operation::write(self.replicas, value, writer)).await;
    }

    async fn make<V>(&self, mut operation: Operation<V>) -> V
    where
        V: Clone + Send + 'static,
        T: Transport<V>,
    {
        loop {
            // Those who are still asked something that is no longer needed are let go with the set.
            let mut asked = JoinSet::new();
            for replica in 0..self.replicas {
                let (transport, request) = (self.transport.clone(), operation.request());
                let pause = self.pause;
                asked.spawn(async move {
                    loop {
                        if let Some(reply) = transport.ask(replica, request.clone()).await {
                            return (replica, reply);
                        }
                        tokio::time::sleep(pause).await;
                    }
                });
            }
            loop {
                let Some(Ok((replica, reply))) = asked.join_next().await else {
                    // All have answered, some with what is no answer, or a transport panicked: ask again.
                    tokio::time::sleep(self.pause).await;
                    break;
                };
                match operation.accept(replica, reply) {
                    Progress::Waits => {}
                    Progress::Asks(_) => break,
                    Progress::Done(value) => return value,
                }
            }
        }
    }
}
