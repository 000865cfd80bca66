//! A hundred threads on mutexes, condition variables, channels and barriers for so many milliseconds; nothing may be lost.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

const BURST: u64 = 5;

/// Runs `burst` over and over until it is time, with sleeps between.
fn bursts(until: Instant, mut burst: impl FnMut()) {
    while {
        burst();
        sleep(Duration::from_millis(100));
        Instant::now() < until
    } {}
}

fn say(what: &str, right: bool) {
    println!("{what} {}", if right { "right" } else { "WRONG" });
}

fn main() {
    let ms = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    let until = Instant::now() + Duration::from_millis(ms);

    // 30 threads: a map under a lock for readers and writers, and a mutex.
    let counted = Arc::new((Mutex::new(0u64), RwLock::new(vec![0u64; 8]), AtomicU64::new(0)));
    let counters: Vec<_> = (0..30usize)
        .map(|number| {
            let counted = Arc::clone(&counted);
            spawn(move || {
                bursts(until, || {
                    for _ in 0..BURST {
                        *counted.0.lock().unwrap() += 1;
                        let seen: u64 = counted.1.read().unwrap().iter().sum();
                        assert!(seen <= counted.2.fetch_add(1, SeqCst) + 30);
                        counted.1.write().unwrap()[number % 8] += 1;
                    }
                });
            })
        })
        .collect();

    // 30 threads: a place for one value, handed over under a condition variable.
    let place = Arc::new((Mutex::new(None::<u64>), Condvar::new()));
    let (given, got) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let givers: Vec<_> = (1..=25u64)
        .map(|number| {
            let (place, given) = (Arc::clone(&place), Arc::clone(&given));
            spawn(move || {
                bursts(until, || {
                    for i in 1..=BURST {
                        given.fetch_add(i * number, SeqCst);
                        let mut slot = place.1.wait_while(place.0.lock().unwrap(), |slot| slot.is_some()).unwrap();
                        *slot = Some(i * number);
                        place.1.notify_all();
                    }
                });
            })
        })
        .collect();
    let getters: Vec<_> = (0..5)
        .map(|_| {
            let (place, got) = (Arc::clone(&place), Arc::clone(&got));
            spawn(move || loop {
                let mut slot = place.1.wait_while(place.0.lock().unwrap(), |slot| slot.is_none()).unwrap();
                let value = slot.take().unwrap();
                place.1.notify_all();
                drop(slot);
                if value == 0 {
                    break;
                }
                got.fetch_add(value, SeqCst);
            })
        })
        .collect();

    // 40 threads: 19 send into a channel without bound and 19 into one of two places; one receives from each.
    let (send, receive) = channel::<u64>();
    let (send_few, receive_few) = sync_channel::<u64>(2);
    let sent = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (1..=19u64)
        .flat_map(|number| {
            let (send, send_few, sent) = (send.clone(), send_few.clone(), Arc::clone(&sent));
            let (sent_too, few) = (Arc::clone(&sent), send_few);
            [
                spawn(move || {
                    bursts(until, || {
                        for i in 1..=BURST {
                            sent.fetch_add(i * number, SeqCst);
                            send.send(i * number).unwrap();
                        }
                    });
                }),
                spawn(move || {
                    bursts(until, || {
                        for i in 1..=BURST {
                            sent_too.fetch_add(i * number, SeqCst);
                            few.send(i * number).unwrap();
                        }
                    });
                }),
            ]
        })
        .collect();
    drop((send, send_few));
    let receivers = [spawn(move || receive.iter().sum::<u64>()), spawn(move || receive_few.iter().sum::<u64>())];

    for thread in counters.into_iter().chain(givers).chain(senders) {
        thread.join().unwrap();
    }
    for _ in 0..getters.len() {
        let mut slot = place.1.wait_while(place.0.lock().unwrap(), |slot| slot.is_some()).unwrap();
        *slot = Some(0);
        place.1.notify_all();
    }
    for thread in getters {
        thread.join().unwrap();
    }
    let received: u64 = receivers.into_iter().map(|thread| thread.join().unwrap()).sum();
    let all = counted.2.load(SeqCst);
    say("mutexes", *counted.0.lock().unwrap() == all && counted.1.read().unwrap().iter().sum::<u64>() == all);
    say("conditions", given.load(SeqCst) == got.load(SeqCst));
    say("channels", received == sent.load(SeqCst));
}
