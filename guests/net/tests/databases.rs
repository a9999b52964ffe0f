//! redis and tokio-postgres, against servers that speak just enough of the protocols: which exchanges are seen of them.

use std::collections::BTreeMap;
use std::io;

use bizarro::prelude::*;
use bizarro::{Exchange, Lab};
use guests::SERVERS_ARE_UP;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Every exchange of a run of a lab, a line each.
fn exchanges(lab: &mut Lab, plan: &str) -> Vec<String> {
    let record = lab.run(&plan.parse().expect("it is a plan")).expect("runs can be made");
    let line = |x: &Exchange| {
        let end = if x.completed.is_some() { "answered" } else { "not answered" };
        format!("{} {end}, attempt {}", x.id, x.attempt)
    };
    record.exchanges.iter().map(line).collect()
}

/// A command: an array of bulk strings.
async fn command(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<String>> {
    async fn number(stream: &mut BufReader<TcpStream>) -> io::Result<usize> {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line[1..].trim_end().parse().map_err(io::Error::other)
    }
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8(word).map_err(io::Error::other)?);
    }
    Ok(words)
}

async fn serve_redis(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut values = BTreeMap::new();
    loop {
        let words = command(&mut stream).await?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let reply = match words[..] {
            ["SET", key, value] => {
                values.insert(key.to_string(), value.to_string());
                "+OK\r\n".to_string()
            }
            ["GET", key] => match values.get(key) {
                Some(value) => format!("${}\r\n{value}\r\n", value.len()),
                None => "$-1\r\n".to_string(),
            },
            ["CLIENT", ..] => "+OK\r\n".to_string(),
            _ => "-ERR unknown command\r\n".to_string(),
        };
        stream.write_all(reply.as_bytes()).await?;
    }
}

#[tokio::main]
async fn redis_server() {
    let listener = TcpListener::bind("0.0.0.0:6379").await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve_redis(stream));
    }
}

#[tokio::main]
async fn redis_client() {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    let client = redis::Client::open("redis://cache/").unwrap();
    let mut cache = client.get_multiplexed_async_connection().await.unwrap();
    let (first, second): (Option<String>, String) = redis::pipe()
        .cmd("GET")
        .arg("k")
        .cmd("SET")
        .arg("k")
        .arg("v")
        .ignore()
        .cmd("GET")
        .arg("k")
        .query_async(&mut cache)
        .await
        .unwrap();
    println!("{first:?} {second}");
    let unknown = redis::cmd("FLY").query_async::<()>(&mut cache).await;
    println!("{}", unknown.is_err());
}

fn redis_world(world: &mut World) {
    world.host("cache").program(redis_server);
    world.host("client").workload(redis_client);
    world.check("the cache answers", |run| match run.output("client")[..] {
        ["None v", "true"] => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
}

#[test]
fn commands_of_redis_are_named() {
    let mut lab = Lab::open("databases::commands_of_redis_are_named", redis_world);
    let expected = [
        "client>cache redis CLIENT #1 answered, attempt 1",
        "client>cache redis CLIENT #2 answered, attempt 1",
        "client>cache redis GET #1 answered, attempt 1",
        "client>cache redis SET #1 answered, attempt 1",
        "client>cache redis GET #2 answered, attempt 1",
        "client>cache redis FLY #1 answered, attempt 1",
    ];
    assert_eq!(exchanges(&mut lab, "baseline"), expected);
}

/// A server of one table: it takes what a client prepares and binds, and answers with how often it was asked.
struct Session {
    stream: BufReader<TcpStream>,
    reply: Vec<u8>,
    sql: String,
    asked: u32,
}

impl Session {
    /// A message without its type, which the first one does not have.
    async fn body(&mut self) -> io::Result<Vec<u8>> {
        let length = self.stream.read_u32().await? as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }

    fn say(&mut self, kind: u8, body: &[u8]) {
        self.reply.push(kind);
        self.reply.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        self.reply.extend_from_slice(body);
    }

    fn ready(&mut self) {
        self.say(b'Z', b"I");
    }

    fn columns(&mut self) {
        if self.sql.starts_with("SELECT") {
            let int4 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 1];
            self.say(b'T', &[&[0, 1], &b"asked\0"[..], &int4].concat());
        } else {
            self.say(b'n', b"");
        }
    }

    fn rows(&mut self) {
        self.asked += 1;
        if self.sql.starts_with("SELECT") {
            let row = [&[0, 1, 0, 0, 0, 4], &self.asked.to_be_bytes()[..]].concat();
            self.say(b'D', &row);
            self.say(b'C', b"SELECT 1\0");
        } else {
            self.say(b'C', b"UPDATE 1\0");
        }
    }

    async fn serve(mut self) -> io::Result<()> {
        self.body().await?;
        self.say(b'R', &[0; 4]);
        self.ready();
        loop {
            self.stream.write_all(&self.reply).await?;
            self.reply.clear();
            let kind = self.stream.read_u8().await?;
            let body = self.body().await?;
            let text = |n: usize| {
                let part = body.split(|byte| *byte == 0).nth(n).unwrap_or_default();
                String::from_utf8_lossy(part).into_owned()
            };
            match kind {
                b'P' => {
                    self.sql = text(1);
                    self.say(b'1', b"");
                }
                b'D' => {
                    let parameters = self.sql.contains("$1");
                    let int4 = [0, 1, 0, 0, 0, 23];
                    self.say(b't', if parameters { &int4 } else { &[0, 0] });
                    self.columns();
                }
                b'B' => self.say(b'2', b""),
                b'E' => self.rows(),
                b'C' => self.say(b'3', b""),
                b'S' => self.ready(),
                b'Q' if text(0).contains("nowhere") => {
                    self.say(b'E', b"SERROR\0VERROR\0C42P01\0Mno such table\0\0");
                    self.ready();
                }
                b'Q' => {
                    self.say(b'C', b"BEGIN\0");
                    self.ready();
                }
                _ => return Ok(()),
            }
        }
    }
}

#[tokio::main]
async fn postgres_server() {
    let listener = TcpListener::bind("0.0.0.0:5432").await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = BufReader::new(stream);
        let session = Session { stream, reply: Vec::new(), sql: String::new(), asked: 0 };
        tokio::spawn(session.serve());
    }
}

/// Asks for the balance, again and on a new connection where no answer comes within a second.
#[tokio::main]
async fn postgres_client() {
    tokio::time::sleep(SERVERS_ARE_UP).await;
    loop {
        let connecting =
            tokio_postgres::connect("host=db user=teller", tokio_postgres::NoTls).await;
        let (client, connection) = connecting.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute("BEGIN").await.unwrap();
        let update = client.prepare("UPDATE accounts SET cents = cents + $1").await.unwrap();
        client.execute(&update, &[&5]).await.unwrap();
        let balance = client.query_one("SELECT asked FROM accounts", &[]);
        if let Ok(row) = tokio::time::timeout(std::time::Duration::from_secs(1), balance).await {
            println!("{}", row.unwrap().get::<_, i32>(0));
            let missing = client.batch_execute("INSERT INTO nowhere VALUES (1)").await;
            println!("{}", missing.is_err());
            return;
        }
        connection.abort();
    }
}

fn postgres_world(world: &mut World) {
    world.host("db").program(postgres_server);
    world.host("teller").workload(postgres_client);
    world.check("the database answers", |run| match run.output("teller")[..] {
        ["2", "true"] => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
}

#[test]
fn queries_of_postgres_are_named() {
    let mut lab = Lab::open("databases::queries_of_postgres_are_named", postgres_world);
    let expected = [
        "teller>db postgres startup #1 answered, attempt 1",
        "teller>db postgres BEGIN #1 answered, attempt 1",
        "teller>db postgres prepare UPDATE accounts #1 answered, attempt 1",
        "teller>db postgres UPDATE accounts #1 answered, attempt 1",
        "teller>db postgres prepare SELECT accounts #1 answered, attempt 1",
        "teller>db postgres SELECT accounts #1 answered, attempt 1",
        "teller>db postgres close #1 answered, attempt 1",
        "teller>db postgres INSERT nowhere #1 answered, attempt 1",
    ];
    assert_eq!(exchanges(&mut lab, "baseline"), expected);
    let plan = "teller>db postgres SELECT accounts #1 deliver-reply=lost";
    let seen = exchanges(&mut lab, plan);
    for expected in [
        "teller>db postgres SELECT accounts #1 not answered, attempt 1",
        "teller>db postgres SELECT accounts #2 answered, attempt 2",
        "teller>db postgres UPDATE accounts #2 answered, attempt 1",
    ] {
        assert!(seen.iter().any(|line| line == expected), "{expected}: {seen:#?}");
    }
}
