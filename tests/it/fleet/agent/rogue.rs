// SPDX-License-Identifier: Apache-2.0
//! A server in the wrong hands: it speaks the agents' protocol and sends whatever the test wants.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What it heard and what it will say.
#[derive(Default)]
pub struct Said {
    /// Heartbeats: the fields of the head, and the body.
    pub heartbeats: Vec<(Fields, Value)>,
    /// Bodies of polls.
    pub polls: Vec<Value>,
    /// Answers to commands.
    pub results: Vec<Value>,
    /// Commands of the next polls.
    pub commands: VecDeque<Vec<Value>>,
    /// Bytes that are sent, whole, instead of the next answers to polls.
    pub raw: VecDeque<Vec<u8>>,
    /// So many results are heard, and the connection is closed without a word.
    pub results_dropped: usize,
    /// So many results are refused.
    pub results_refused: usize,
}

/// The server; it runs until the tests end.
pub struct Rogue {
    pub address: SocketAddr,
    said: Arc<Mutex<Said>>,
}

impl Rogue {
    pub fn start() -> Rogue {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let said = Arc::new(Mutex::new(Said::default()));
        let shared = Arc::clone(&said);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let said = Arc::clone(&shared);
                // An agent that is killed breaks its connections.
                std::thread::spawn(move || serve(stream, &said));
            }
        });
        Rogue { address, said }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }

    /// Waits until `look` finds something.
    pub fn wait_for<T>(&self, what: &str, look: impl Fn(&Said) -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(90);
        while Instant::now() < until {
            if let Some(found) = look(&self.said()) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{what}: it did not come");
    }

    /// Sends a command with this action and waits for its answer.
    pub fn ask(&self, id: i64, action: &Value) -> Value {
        let before = self.said().results.len();
        self.said().commands.push_back(vec![json!({"id": id, "action": action, "agent": {"id": 1}})]);
        let answer = self.wait_for("an answer", |said| said.results.get(before).cloned());
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }
}

fn serve(stream: TcpStream, said: &Mutex<Said>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (path, fields, body) = request(&mut reader)?;
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let answer = match path.as_str() {
            "/api/v1/ip" => b"192.0.2.77".to_vec(),
            "/api/v1/heartbeat" => {
                said.lock().unwrap().heartbeats.push((fields, json));
                b"{\"error\":null}".to_vec()
            }
            "/api/v1/agent/commands" => match poll(said, json) {
                Ok(answer) => answer,
                Err(raw) => {
                    let _ = stream.write_all(&raw);
                    return None;
                }
            },
            "/api/v1/agent/results" => {
                let mut said = said.lock().unwrap();
                said.results.push(json);
                if said.results_dropped > 0 {
                    said.results_dropped -= 1;
                    return None;
                }
                if said.results_refused > 0 {
                    said.results_refused -= 1;
                    let refusal = b"HTTP/1.1 400 No\r\nContent-Length: 21\r\n\r\n{\"error\":\"too deep\"}\n";
                    stream.write_all(refusal).ok()?;
                    continue;
                }
                b"{\"error\":null,\"is_late\":false,\"is_repeated\":false}".to_vec()
            }
            other => panic!("the agent asked for {other}"),
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(&answer).ok()?;
    }
}

/// Fields of a head, names in lower case.
pub type Fields = Vec<(String, String)>;

/// Path, fields and body of the next request.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Fields, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        fields.push((name.to_lowercase(), value.to_owned()));
    }
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some((path, fields, body))
}

/// Waits for commands as long as the agent asked for, then sends none.
fn poll(said: &Mutex<Said>, body: Value) -> Result<Vec<u8>, Vec<u8>> {
    let until = Instant::now() + Duration::from_secs(body["wait"].as_u64().unwrap());
    said.lock().unwrap().polls.push(body);
    loop {
        {
            let mut said = said.lock().unwrap();
            if let Some(raw) = said.raw.pop_front() {
                return Err(raw);
            }
            let commands = said.commands.pop_front();
            if commands.is_some() || Instant::now() >= until {
                let entry = |command| json!({"attempt": 1, "command": command});
                let commands: Vec<Value> = commands.into_iter().flatten().map(entry).collect();
                return Ok(json!({"commands": commands, "poll_secs": 0}).to_string().into_bytes());
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
