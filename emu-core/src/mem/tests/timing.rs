//! Timings, for reading and not for judging: `cargo test --release -p emu-core mem::tests::timing -- --ignored --nocapture`.

#![expect(clippy::disallowed_methods, reason = "measures")]

use std::hint::black_box;
use std::time::Instant;

use super::*;

fn time(what: &str, count: u64, mut f: impl FnMut(u64)) {
    let start = Instant::now();
    (0..count).for_each(&mut f);
    let ns = start.elapsed().as_nanos() as f64 / count as f64;
    println!("{what:40} {ns:10.1} ns");
}

#[test]
#[ignore = "measures"]
fn costs() {
    const PAGES: u64 = 10_000;
    let mut mem = Memory::new(1 << 30);
    let s = mem.create_space();
    let object = mem.create_object();
    time("map_zero", PAGES, |page| mem.map_zero(s, page << 12, RW).unwrap());
    time("first write", PAGES, |page| mem.write_u64(s, page << 12, page, User).unwrap());
    time("lookup for writing, first", PAGES, |page| {
        black_box(mem.lookup(s, page << 12, Access::Write, User).unwrap());
    });
    for (what, access) in [("lookup for reading", Access::Read), ("lookup for writing", Access::Write)] {
        time(what, 10 * PAGES, |i| {
            black_box(mem.lookup(s, (i * 7 % PAGES) << 12, access, User).unwrap());
        });
        time(&format!("{what}, 16 pages"), 100 * PAGES, |i| {
            black_box(mem.lookup(s, (i % 16) << 12, access, User).unwrap());
        });
    }
    time("read_u64, 16 pages", 100 * PAGES, |i| {
        black_box(mem.read_u64(s, (i % 16) << 12, User).unwrap());
    });
    time("write_u64, 16 pages", 100 * PAGES, |i| mem.write_u64(s, (i % 16) << 12, i, User).unwrap());
    mem.map_shared(s, 1 << 40, object, 0, RW).unwrap();
    time("lookup for reading, shared", 100 * PAGES, |_| {
        black_box(mem.lookup(s, 1 << 40, Access::Read, User).unwrap());
    });
    time("lookup for writing, shared", 100 * PAGES, |_| {
        black_box(mem.lookup(s, 1 << 40, Access::Write, User).unwrap());
    });
    time("fork_space and destroy", 1000, |_| {
        let fork = mem.fork_space(s);
        mem.destroy_space(fork);
    });
    time("clone and drop", 1000, |_| drop(black_box(mem.clone())));
    let fork = mem.fork_space(s);
    time("write after fork: copies the path", 1, |_| mem.write_u64(fork, 0, 1, User).unwrap());
    time("write after fork: copy-on-write", PAGES, |page| mem.write_u64(fork, page << 12, 1, User).unwrap());
    time("write after fork: last holder", PAGES, |page| mem.write_u64(s, page << 12, 1, User).unwrap());
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    time("digest, 20,000 pages", 1, |_| mem.digest(&mut hasher));
    time("destroy 10,000 own pages", 1, |_| mem.destroy_space(fork));
    time("object_write, page by page", PAGES, |page| {
        mem.object_write(object, page << 12, &[1; 4096]).unwrap();
    });
    time("protect 10,000 pages", 1, |_| mem.protect(s, 0..USER_END, RO));
    time("unmap 10,000 pages", 1, |_| mem.unmap(s, 0..USER_END));
    time("spaces made", 1000, |_| {
        black_box(mem.create_space());
    });
    time("clone and drop, 1000 spaces", 1000, |_| drop(black_box(mem.clone())));
}
