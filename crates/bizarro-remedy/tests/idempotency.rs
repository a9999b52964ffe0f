//! Idempotency keys in front of a real service, with both stores, over real sockets where sockets matter.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use bizarro_remedy::idempotency::sqlite::{Once, Sqlite, once, prepare};
use bizarro_remedy::idempotency::{
    Begun, FilterLayer, Fingerprint, HEADER, Key, KeyLayer, Keys, Memory, Reply, Store,
};
use tokio::sync::Semaphore;
use tower::{Layer, ServiceExt, service_fn};

/// Any time will do.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

const TIME_TO_LIVE: Duration = Duration::from_secs(60);

/// A service that counts what it did, and what holds it up.
#[derive(Clone)]
struct Counter {
    done: Arc<AtomicU32>,
    gate: Arc<Semaphore>,
}

impl Counter {
    fn new(permits: usize) -> Counter {
        Counter { done: Arc::default(), gate: Arc::new(Semaphore::new(permits)) }
    }

    fn done(&self) -> u32 {
        self.done.load(Ordering::SeqCst)
    }
}

async fn count(State(counter): State<Counter>, body: String) -> (StatusCode, String) {
    counter.gate.acquire().await.expect("it is never closed").forget();
    let done = counter.done.fetch_add(1, Ordering::SeqCst) + 1;
    let status = match body.as_str() {
        "busy" => StatusCode::SERVICE_UNAVAILABLE,
        "bad" => StatusCode::BAD_REQUEST,
        "broken" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    };
    (status, format!("{body} {done}"))
}

/// A server's address, and what it counts.
async fn serve<K: Store>(store: K, keys: Keys, counter: Counter) -> String {
    let app = Router::new()
        .route("/", post(count))
        .route("/", get(async || "looked"))
        .with_state(counter)
        .layer(FilterLayer::new(store, keys, TIME_TO_LIVE, 1000));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/")
}

async fn send(url: &str, key: &str, body: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(url).body(body.to_string());
    if !key.is_empty() {
        request = request.header(HEADER, key);
    }
    let reply = request.send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

async fn each_key_is_done_once<K: Store>(store: K) {
    let counter = Counter::new(100);
    let url = serve(store, Keys::Needed, counter.clone()).await;
    for _ in 0..3 {
        assert_eq!(send(&url, "\"a\"", "x").await, (200, "x 1".to_string()));
    }
    assert_eq!(send(&url, "\"b\"", "x").await, (200, "x 2".to_string()));
    assert_eq!(send(&url, "\"a\"", "y").await.0, 422);
    // What is the client's mistake, or broken, is an answer like any other; what says *not now* is not.
    for _ in 0..2 {
        assert_eq!(send(&url, "\"c\"", "bad").await, (400, "bad 3".to_string()));
        assert_eq!(send(&url, "\"d\"", "broken").await.0, 500);
    }
    assert_eq!(counter.done(), 4);
    assert_eq!(send(&url, "\"e\"", "busy").await, (503, "busy 5".to_string()));
    assert_eq!(send(&url, "\"e\"", "busy").await, (503, "busy 6".to_string()));
}

#[tokio::test]
async fn each_key_is_done_once_in_memory() {
    each_key_is_done_once(Memory::new(100)).await;
}

#[tokio::test]
async fn each_key_is_done_once_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    each_key_is_done_once(Sqlite::open(&directory.path().join("keys")).unwrap()).await;
}

#[tokio::test]
async fn bad_keys_are_refused_and_the_server_stays_up() {
    let counter = Counter::new(100);
    let url = serve(Memory::new(100), Keys::Needed, counter.clone()).await;
    for bad in ["", "a", "\"", "\"\"", "\"a b\"", &format!("\"{}\"", "k".repeat(256))] {
        assert_eq!(send(&url, bad, "x").await.0, 400, "{bad}");
    }
    assert_eq!(send(&url, "\"a\"", &"x".repeat(1001)).await.0, 413);
    assert_eq!(counter.done(), 0);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "looked");
    assert_eq!(send(&url, "\"a\"", "x").await.0, 200);
}

#[tokio::test]
async fn a_key_is_not_needed_where_it_is_only_welcome() {
    let url = serve(Memory::new(100), Keys::Welcome, Counter::new(100)).await;
    assert_eq!(send(&url, "", "x").await, (200, "x 1".to_string()));
    assert_eq!(send(&url, "", "x").await, (200, "x 2".to_string()));
}

#[tokio::test]
async fn what_is_being_done_is_a_conflict_and_goes_on_when_the_client_hangs_up() {
    let counter = Counter::new(0);
    let url = serve(Memory::new(100), Keys::Needed, counter.clone()).await;
    let first = tokio::spawn({
        let url = url.clone();
        async move { send(&url, "\"a\"", "x").await }
    });
    // The first one is held up in the service; the second one comes once it is there.
    while send(&url, "\"a\"", "x").await.0 != 409 {
        assert!(!first.is_finished());
    }
    first.abort();
    assert!(first.await.is_err());
    counter.gate.add_permits(100);
    let answer = loop {
        let answer = send(&url, "\"a\"", "x").await;
        if answer.0 != 409 {
            break answer;
        }
    };
    assert_eq!((answer, counter.done()), ((200, "x 1".to_string()), 1));
}

#[tokio::test]
async fn a_full_store_refuses_new_keys_until_old_ones_expire() {
    let store = Memory::new(1);
    let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
    let (request, now) = (Fingerprint::of(&[b"x"]), now());
    assert_eq!(store.begin(&a, request, now, TIME_TO_LIVE).await.unwrap(), Begun::New);
    assert!(store.begin(&b, request, now, TIME_TO_LIVE).await.is_err());
    let reply = Reply { status: 200, content_type: None, body: b"x".to_vec() };
    store.finish(&a, reply.clone()).await.unwrap();
    assert_eq!(store.begin(&a, request, now, TIME_TO_LIVE).await.unwrap(), Begun::Done(reply));
    let later = now + TIME_TO_LIVE;
    assert_eq!(store.begin(&b, request, later, TIME_TO_LIVE).await.unwrap(), Begun::New);
}

#[tokio::test]
async fn sqlite_keeps_keys_across_lives_and_knows_what_was_left_undone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let (a, b): (Key, Key) = ("a".parse().unwrap(), "b".parse().unwrap());
    let (request, now) = (Fingerprint::of(&[b"x"]), now());
    let reply = Reply { status: 201, content_type: Some("text/plain".into()), body: b"x".to_vec() };

    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.begin(&a, request, now, TIME_TO_LIVE).await.unwrap(), Begun::New);
    store.finish(&a, reply.clone()).await.unwrap();
    assert_eq!(store.begin(&b, request, now, TIME_TO_LIVE).await.unwrap(), Begun::New);
    assert_eq!(store.begin(&b, request, now, TIME_TO_LIVE).await.unwrap(), Begun::InProgress);
    drop(store);

    let store = Sqlite::open(&path).unwrap();
    let again = store.begin(&a, request, now, TIME_TO_LIVE).await.unwrap();
    assert_eq!(again, Begun::Done(reply));
    assert_eq!(store.begin(&b, request, now, TIME_TO_LIVE).await.unwrap(), Begun::Orphaned);
    let other = Fingerprint::of(&[b"y"]);
    assert_eq!(store.begin(&a, other, now, TIME_TO_LIVE).await.unwrap(), Begun::OtherRequest);
    let later = now + TIME_TO_LIVE;
    assert_eq!(store.begin(&a, other, later, TIME_TO_LIVE).await.unwrap(), Begun::New);

    // The service says of an orphan that nobody knows.
    let counter = Counter::new(100);
    let url = serve(store, Keys::Needed, counter.clone()).await;
    let print = Fingerprint::of(&[b"POST", b"/", b"x"]);
    let orphans = Sqlite::open(&path).unwrap();
    let c: Key = "c".parse().unwrap();
    assert_eq!(orphans.begin(&c, print, now, TIME_TO_LIVE).await.unwrap(), Begun::New);
    assert_eq!(send(&url, "\"c\"", "x").await.0, 500);
    assert_eq!(counter.done(), 0);
}

#[test]
fn effect_and_key_are_committed_together() {
    let mut database = rusqlite::Connection::open_in_memory().unwrap();
    database.execute_batch("CREATE TABLE effects (n INTEGER) STRICT").unwrap();
    prepare(&database).unwrap();
    let key: Key = "a".parse().unwrap();
    let (request, now) = (Fingerprint::of(&[b"x"]), now());
    let reply = || Reply { status: 200, content_type: None, body: b"x".to_vec() };
    let mut run = |request, now, fails: Option<rusqlite::Error>| {
        once(&mut database, &key, request, now, TIME_TO_LIVE, |transaction| {
            transaction.execute("INSERT INTO effects VALUES (1)", [])?;
            fails.map_or_else(|| Ok(reply()), Err)
        })
    };
    assert!(run(request, now, Some(rusqlite::Error::InvalidQuery)).is_err());
    assert_eq!(run(request, now, None).unwrap(), Once::Done(reply()));
    assert_eq!(run(request, now, None).unwrap(), Once::Done(reply()));
    assert_eq!(run(Fingerprint::of(&[b"y"]), now, None).unwrap(), Once::OtherRequest);
    assert_eq!(run(request, now + TIME_TO_LIVE, None).unwrap(), Once::Done(reply()));
    let effects: u32 =
        database.query_row("SELECT count(*) FROM effects", [], |row| row.get(0)).unwrap();
    assert_eq!(effects, 2, "one before the key expired, and one after");
}

#[tokio::test]
async fn a_client_has_one_key_for_all_attempts() {
    // Asks twice with the request that it is given, as a layer that sends again does.
    let twice = service_fn(async |request: http::Request<()>| {
        let keys = [request.clone(), request].map(|request| request.headers()[HEADER].clone());
        Ok::<_, Infallible>(keys)
    });
    let keyed = KeyLayer.layer(twice);
    let [first, second] = keyed.oneshot(http::Request::new(())).await.unwrap();
    assert_eq!(first, second);
    assert!(Key::from_header(first.as_bytes()).is_ok());
    let [other, _] = keyed.oneshot(http::Request::new(())).await.unwrap();
    assert_ne!(first, other);
    let mut own = http::Request::new(());
    own.headers_mut().insert(HEADER, "\"own\"".parse().unwrap());
    assert_eq!(keyed.oneshot(own).await.unwrap()[0], "\"own\"");
}

/// Whatever bytes a header has, reading them gives a key that is written the same way, or an error.
#[test]
fn any_bytes_are_a_key_or_none() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        if let Ok(key) = Key::from_header(bytes) {
            assert_eq!(key.to_header().as_bytes(), &bytes[..]);
        }
    });
}
