//! A door between a process and the broker: what passes can be cut, held and delayed.
//!
//! One listener a broker node, at the address that the broker tells its clients of this door. Either
//! direction of a connection ends by itself: what a client has sent before it went away still reaches
//! the broker, however late, as it does on a network.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What one direction does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    held: bool,
    delay: Duration,
}

#[derive(Debug, Default)]
struct State {
    requests: Way,
    answers: Way,
    /// Nobody is let in.
    shut: bool,
    /// Both ends of every connection.
    open: Vec<(TcpStream, TcpStream)>,
    closed: bool,
}

/// A door of one process, to every node.
#[derive(Debug)]
pub(super) struct Door {
    told: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

impl Door {
    /// `pairs` as `tests/kafka/broker` prints them: where clients are told to go, and where the node is.
    pub(super) fn new(pairs: &str) -> Self {
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let mut told = Vec::new();
        for pair in pairs.split(',') {
            let (outside, inside) = pair.split_once('=').unwrap();
            let listener = TcpListener::bind(outside).unwrap_or_else(|error| panic!("{outside}: {error}"));
            told.push(outside);
            let (state, inside) = (Arc::clone(&state), inside.to_owned());
            std::thread::spawn(move || {
                for client in listener.incoming() {
                    if lock(&state).closed {
                        return;
                    }
                    // What cannot be reached, the client sees as a connection that ends at once.
                    if let Ok(client) = client {
                        drop(join(client, &inside, &state));
                    }
                }
            });
        }
        Self { told: told.join(","), state }
    }

    /// What a process is to be given as its bootstrap.
    pub(super) fn bootstrap(&self) -> &str {
        &self.told
    }

    /// Closes every connection at once; with `shut`, lets nobody in until [`Door::calm`].
    pub(super) fn cut(&self, shut: bool) {
        self.change(|state| {
            state.shut = shut;
            for (client, broker) in state.open.drain(..) {
                drop(client.shutdown(Shutdown::Both));
                drop(broker.shutdown(Shutdown::Both));
            }
        });
    }

    pub(super) fn hold_requests(&self) {
        self.change(|state| state.requests.held = true);
    }

    pub(super) fn hold_answers(&self) {
        self.change(|state| state.answers.held = true);
    }

    pub(super) fn slow(&self, delay: Duration) {
        self.change(|state| (state.requests.delay, state.answers.delay) = (delay, delay));
    }

    /// As if nothing had been; what was held goes on its way.
    pub(super) fn calm(&self) {
        self.change(|state| {
            (state.requests, state.answers, state.shut) = (Way::default(), Way::default(), false);
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.state.1.notify_all();
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.cut(true);
        self.change(|state| (state.closed, state.requests.held, state.answers.held) = (true, false, false));
        // Whoever waits for a client looks once more.
        for address in self.told.split(',') {
            drop(TcpStream::connect(address));
        }
    }
}

fn lock(state: &(Mutex<State>, Condvar)) -> MutexGuard<'_, State> {
    state.0.lock().unwrap()
}

fn join(client: TcpStream, inside: &str, state: &Arc<(Mutex<State>, Condvar)>) -> std::io::Result<()> {
    let broker = TcpStream::connect(inside)?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    {
        let mut state = lock(state);
        if state.shut {
            return Ok(());
        }
        state.open.retain(|(client, _)| client.peer_addr().is_ok());
        state.open.push((client.try_clone()?, broker.try_clone()?));
    }
    let ways = [
        (Direction::Requests, client.try_clone()?, broker.try_clone()?),
        (Direction::Answers, broker, client),
    ];
    for (direction, from, to) in ways {
        let state = Arc::clone(state);
        std::thread::spawn(move || carry(direction, from, to, &state));
    }
    Ok(())
}

fn carry(direction: Direction, mut from: TcpStream, mut to: TcpStream, state: &(Mutex<State>, Condvar)) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let way = |state: &State| match direction {
            Direction::Requests => state.requests,
            Direction::Answers => state.answers,
        };
        let waited = state.1.wait_while(lock(state), |state| way(state).held).unwrap();
        let delay = way(&waited).delay;
        drop(waited);
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        if to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Door, TcpListener) {
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        let outside = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        (Door::new(&format!("{outside}={}", inside.local_addr().unwrap())), inside)
    }

    #[test]
    fn what_was_held_arrives_after_its_sender_has_gone() {
        let (door, inside) = pair();
        let mut client = TcpStream::connect(door.bootstrap()).unwrap();
        let (mut broker, _) = inside.accept().unwrap();
        door.hold_requests();
        client.write_all(b"late").unwrap();
        drop(client);
        door.calm();
        let mut found = String::new();
        broker.read_to_string(&mut found).unwrap();
        assert_eq!(found, "late");
    }

    #[test]
    fn a_cut_ends_both_sides_and_a_shut_door_lets_nobody_in() {
        let (door, inside) = pair();
        let mut client = TcpStream::connect(door.bootstrap()).unwrap();
        let (mut broker, _) = inside.accept().unwrap();
        client.write_all(b"a").unwrap();
        broker.read_exact(&mut [0]).unwrap();
        door.cut(true);
        assert_eq!(broker.read(&mut [0]).unwrap_or(0), 0);
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
        let mut client = TcpStream::connect(door.bootstrap()).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
    }
}
