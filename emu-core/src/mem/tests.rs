//! Tests of guest memory by hand; [`model`] compares with a naive memory, [`timing`] measures.

mod model;
mod timing;

use super::Privilege::{Supervisor, User};
use super::*;

const RW: PageProt = PageProt::READ.union(PageProt::WRITE).union(PageProt::USER);
const RX: PageProt = PageProt::READ.union(PageProt::EXEC).union(PageProt::USER);
const RO: PageProt = PageProt::READ.union(PageProt::USER);

fn machine() -> (Memory, SpaceId) {
    let mut mem = Memory::new(64 << 20);
    let space = mem.create_space();
    mem.take_invalidations(space);
    (mem, space)
}

fn digest(mem: &Memory) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    mem.digest(&mut hasher);
    hasher.digest()
}

fn frame(mem: &Memory, space: SpaceId, addr: u64) -> Option<FrameId> {
    mem.page(space, addr).and_then(|page| page.frame)
}

#[test]
fn reads_and_writes_cross_pages() {
    let (mut mem, s) = machine();
    mem.map_zero(s, 0x1000, RW).unwrap();
    mem.map_zero(s, 0x2000, RW).unwrap();
    mem.write(s, 0x1ffe, &[1, 2, 3, 4], User).unwrap();
    assert_eq!(mem.read_u32(s, 0x1ffe, User), Ok(0x0403_0201));
    assert_eq!(mem.write(s, 0x2ffe, &[1, 2, 3, 4], User), Err((2, MemFault::NotPresent(0x3000))));
    assert_eq!(mem.write_u32(s, 0x2ffe, 9, User), Err(MemFault::NotPresent(0x3000)));
    assert_eq!(mem.read_u16(s, 0x2ffe, User), Ok(0x0201), "a word is written whole or not");
    assert_eq!(mem.compare_exchange_u32(s, 0x1ffe, 0x0403_0201, 7, User), Ok(Ok(0x0403_0201)));
    assert_eq!(mem.compare_exchange_u32(s, 0x1ffe, 1, 8, User), Ok(Err(7)));
}

#[test]
fn faults_say_what_is_wrong() {
    let (mut mem, s) = machine();
    mem.map_zero(s, 0x1000, RO).unwrap();
    mem.map_zero(s, 0x2000, PageProt::READ | PageProt::WRITE).unwrap();
    assert_eq!(mem.write_u8(s, 0x1004, 1, Supervisor), Err(MemFault::Protection(0x1004)));
    assert_eq!(mem.read_u8(s, 0x2000, User), Err(MemFault::Protection(0x2000)));
    assert_eq!(mem.read_u8(s, 0x2000, Supervisor), Ok(0));
    assert_eq!(mem.read_u8(s, 0x5000, User), Err(MemFault::NotPresent(0x5000)));
    assert_eq!(mem.read_u8(s, 1 << 47, User), Err(MemFault::NonCanonical(1 << 47)));
    assert_eq!(mem.read_u16(s, u64::MAX, User), Err(MemFault::NotPresent(u64::MAX)));
    let fetch = mem.lookup(s, 0x1000, Access::Execute, User).map(|page| page.frame);
    assert_eq!(fetch, Err(MemFault::Protection(0x1000)));
    assert_eq!(mem.check(s, 0x1000..0x3000, Access::Read, User), Err(MemFault::Protection(0x2000)));
    mem.write_forced(s, 0x1004, &[5]).unwrap();
    assert_eq!(mem.read_u8(s, 0x1004, User), Ok(5));
}

#[test]
fn the_last_page_of_all_can_be_mapped() {
    let (mut mem, s) = machine();
    let top = u64::MAX - 0xfff;
    mem.map_zero(s, top, PageProt::READ | PageProt::WRITE).unwrap();
    mem.write_u64(s, u64::MAX - 7, 3, Supervisor).unwrap();
    assert_eq!(mem.write(s, u64::MAX, &[1, 2], Supervisor), Err((1, MemFault::NonCanonical(u64::MAX))));
    assert_eq!(mem.mapped_pages(s, KERNEL_START..0), 1);
    mem.unmap(s, top..0);
    assert_eq!(mem.mapped_pages(s, 0..0) + mem.mapped_pages(s, KERNEL_START..u64::MAX), 0);
}

#[test]
fn kernel_pages_are_the_same_in_all_spaces() {
    let (mut mem, a) = machine();
    let b = mem.create_space();
    mem.map_zero(a, KERNEL_START + 0x5000, PageProt::READ | PageProt::WRITE).unwrap();
    mem.write_u32(a, KERNEL_START + 0x5000, 77, Supervisor).unwrap();
    assert_eq!(mem.read_u32(b, KERNEL_START + 0x5000, Supervisor), Ok(77));
    assert!(mem.read_u32(b, KERNEL_START + 0x5000, User).is_err());
    let mut copy = mem.clone();
    copy.write_u32(b, KERNEL_START + 0x5000, 78, Supervisor).unwrap();
    assert_eq!(mem.read_u32(b, KERNEL_START + 0x5000, Supervisor), Ok(77));
}

#[test]
fn fork_copies_on_write_both_ways() {
    let (mut mem, a) = machine();
    mem.map_zero(a, 0x1000, RW).unwrap();
    mem.write_u32(a, 0x1000, 1, User).unwrap();
    let b = mem.fork_space(a);
    assert_eq!(frame(&mem, a, 0x1000), frame(&mem, b, 0x1000));
    mem.write_u32(b, 0x1000, 2, User).unwrap();
    assert_eq!((mem.read_u32(a, 0x1000, User), mem.read_u32(b, 0x1000, User)), (Ok(1), Ok(2)));
    let before = frame(&mem, a, 0x1000);
    mem.write_u32(a, 0x1000, 3, User).unwrap();
    assert_eq!(frame(&mem, a, 0x1000), before, "the last holder writes in place");
    assert_eq!(mem.resident(b), 1);
    mem.destroy_space(b);
    let c = mem.create_space();
    assert_ne!(b, c);
    assert_eq!(mem.read_u32(c, 0x1000, User), Err(MemFault::NotPresent(0x1000)));
}

#[test]
fn memory_comes_back() {
    let (mut mem, a) = machine();
    let empty = mem.used();
    for page in 1..100 {
        mem.map_zero(a, page << 12, RW).unwrap();
        mem.write_u32(a, page << 12, 1, User).unwrap();
    }
    let b = mem.fork_space(a);
    mem.write_u32(b, 0x1000, 2, User).unwrap();
    let copy = mem.clone();
    mem.unmap(a, 0..USER_END);
    assert_eq!(mem.resident(a), 0);
    mem.destroy_space(b);
    assert!(mem.used() > empty + 99 * PAGE_SIZE);
    drop(copy);
    assert_eq!(mem.used(), empty);
    mem.map_zero(a, 0x1000, RW).unwrap();
    mem.write_u8(a, 0x1001, 1, User).unwrap();
    assert_eq!(mem.read_u8(a, 0x1000, User), Ok(0), "a used frame comes back as zeros");
}

#[test]
fn the_bound_is_an_error_and_nothing_is_lost() {
    let mut mem = Memory::new(64 << 12);
    let s = mem.create_space();
    let mut written = 0;
    let fault = loop {
        let addr = 0x1000 * (written + 1);
        mem.map_zero(s, addr, RW).unwrap();
        match mem.write_u64(s, addr, written, User) {
            Ok(()) => written += 1,
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault, MemFault::OutOfMemory(0x1000 * (written + 1)));
    assert!(written > 40 && mem.used() <= mem.limit());
    let object = mem.create_object();
    assert_eq!(mem.object_write(object, 0, &[1]), Err(OutOfMemory));
    assert_eq!(mem.map_zero(s, 1 << 40, RW), Err(OutOfMemory), "page tables count");
    let fork = mem.fork_space(s);
    assert_eq!(mem.write_u64(fork, 0x1000, 1, User), Err(MemFault::OutOfMemory(0x1000)));
    for page in 0..written {
        assert_eq!(mem.read_u64(s, 0x1000 * (page + 1), User), Ok(page));
    }
    mem.destroy_space(fork);
    mem.unmap(s, 0x1000..0x2000);
    mem.object_write(object, 0, &[1]).unwrap();
}

#[test]
fn ranges_of_terabytes_cost_what_is_there() {
    let (mut mem, s) = machine();
    for page in [0x1000, 0x7f00_0000_0000, USER_END - 0x1000] {
        mem.map_zero(s, page, RW).unwrap();
    }
    for _ in 0..1000 {
        mem.protect(s, 0..USER_END, RO);
        mem.protect(s, 0..USER_END, RW);
        assert_eq!(mem.mapped_pages(s, 0..USER_END), 3);
    }
    assert_eq!(mem.next_mapped(s, 0x2000..USER_END), Some(0x7f00_0000_0000));
    mem.unmap(s, 0x2000..USER_END);
    assert_eq!(mem.resident(s), 1);
}

#[test]
fn shared_mappings_see_the_object_and_clones_part_ways() {
    let (mut mem, a) = machine();
    let object = mem.create_object();
    mem.map_shared(a, 0x1000, object, 3, RW).unwrap();
    let b = mem.fork_space(a);
    assert_eq!(mem.read_u32(b, 0x1000, User), Ok(0));
    assert_eq!(mem.object_pages(object), 0, "the kernel's reads leave holes alone");
    mem.write_u32(a, 0x1000, 5, User).unwrap();
    assert_eq!(mem.read_u32(b, 0x1000, User), Ok(5));
    let mut copy = mem.clone();
    copy.write_u32(b, 0x1000, 6, User).unwrap();
    assert_eq!((mem.read_u32(a, 0x1000, User), copy.read_u32(a, 0x1000, User)), (Ok(5), Ok(6)));
    let mut buf = [0; 4];
    copy.object_read(object, 3 << 12, &mut buf);
    assert_eq!(buf, [6, 0, 0, 0]);
    mem.destroy_object(object);
    assert_eq!(mem.read_u32(a, 0x1000, User), Err(MemFault::NotPresent(0x1000)));
}

#[test]
fn private_mappings_of_objects_keep_what_they_saw() {
    let (mut mem, s) = machine();
    let object = mem.create_object();
    mem.object_write(object, 0, b"file").unwrap();
    mem.map_private(s, 0x1000, object, 0, RW).unwrap();
    mem.map_private(s, 0x2000, object, 9, RW).unwrap();
    mem.object_write(object, 0, b"FILE").unwrap();
    mem.write(s, 0x1004, b"!", User).unwrap();
    let mut buf = [0; 5];
    mem.read(s, 0x1000, &mut buf, User).unwrap();
    assert_eq!(&buf, b"file!");
    mem.object_read(object, 0, &mut buf);
    assert_eq!(&buf, b"FILE\0");
    mem.write_u8(s, 0x2000, 1, User).unwrap();
    assert!(!mem.object_has_page(object, 9));
}

#[test]
fn truncation_takes_pages_from_mappings() {
    let (mut mem, s) = machine();
    let object = mem.create_object();
    mem.object_write(object, 0, &[7; 3 * 4096]).unwrap();
    for page in 0..3 {
        mem.map_shared(s, 0x1000 + page * 0x1000, object, page, RW).unwrap();
    }
    mem.lookup(s, 0x2000, Access::Write, User).unwrap();
    mem.take_invalidations(s);
    mem.object_truncate(object, 4096 + 10);
    assert!(mem.take_invalidations(s).all);
    assert_eq!(mem.object_pages(object), 2);
    assert_eq!(mem.read_u8(s, 0x2009, User), Ok(7));
    assert_eq!(mem.read_u8(s, 0x200a, User), Ok(0));
    assert_eq!(mem.read_u8(s, 0x3000, User), Err(MemFault::NotPresent(0x3000)));
    assert!(mem.page(s, 0x3000).is_none());
    mem.object_truncate(object, 3 * 4096);
    assert_eq!(mem.read_u8(s, 0x3000, User), Ok(0));
    mem.object_truncate(object, 0);
    mem.map_shared(s, 0x9000, object, 1, RW).unwrap();
    assert_eq!(mem.read_u8(s, 0x9000, User), Ok(0), "who maps a page says that it is there");
}

#[test]
fn holes_are_found() {
    let (mut mem, _) = machine();
    let object = mem.create_object();
    mem.object_write(object, 2 << 12, &[1; 2 * 4096]).unwrap();
    mem.object_write(object, 1 << 60, &[1]).unwrap();
    assert_eq!(mem.object_next_data(object, 5), Some(2 << 12));
    assert_eq!(mem.object_next_data(object, (3 << 12) + 9), Some((3 << 12) + 9));
    assert_eq!(mem.object_next_data(object, 4 << 12), Some(1 << 60));
    assert_eq!(mem.object_next_data(object, (1 << 60) + 4096), None);
    assert_eq!(mem.object_next_hole(object, 5), 5);
    assert_eq!(mem.object_next_hole(object, (2 << 12) + 1), 4 << 12);
    mem.object_punch(object, (2 << 12) + 5..(1 << 60) + 4096);
    assert_eq!(mem.object_pages(object), 1);
    let mut buf = [0; 6];
    mem.object_read(object, 2 << 12, &mut buf);
    assert_eq!(buf, [1, 1, 1, 1, 1, 0]);
    assert_eq!(mem.object_write(object, u64::MAX, &[1, 2]), Err(OutOfMemory));
}

#[test]
fn writes_to_code_are_reported() {
    let (mut mem, s) = machine();
    mem.map_zero(s, 0x1000, RW | PageProt::EXEC).unwrap();
    mem.write_u8(s, 0x1000, 0x90, User).unwrap();
    let host = mem.lookup(s, 0x1000, Access::Execute, User).unwrap();
    mem.mark_code(s, 0x1000);
    mem.take_invalidations(s);
    mem.write_u8(s, 0x1000, 0xc3, User).unwrap();
    assert_eq!(mem.take_invalidations(s).code, [host.frame]);
    mem.mark_code(s, 0x1000);
    let page = mem.lookup(s, 0x1000, Access::Write, User).unwrap();
    assert!(page.code);
    mem.code_written(page.frame, s, 0x1000);
    assert!(!mem.lookup(s, 0x1000, Access::Write, User).unwrap().code);
    assert_eq!(mem.take_invalidations(s).code, [host.frame]);
    assert!(!mem.pending());
}

#[test]
fn marking_code_recalls_writers_of_a_second_mapping() {
    let (mut mem, s) = machine();
    let object = mem.create_object();
    mem.map_shared(s, 0x1000, object, 0, RW).unwrap();
    mem.map_shared(s, 0x9000, object, 0, RX).unwrap();
    let writable = mem.lookup(s, 0x1000, Access::Write, User).unwrap();
    let code = mem.lookup(s, 0x9000, Access::Execute, User).unwrap();
    assert_eq!((writable.frame, writable.ptr), (code.frame, code.ptr));
    mem.take_invalidations(s);
    mem.mark_code(s, 0x9000);
    assert!(mem.take_invalidations(s).all);
    assert!(mem.lookup(s, 0x1000, Access::Write, User).unwrap().code);
}

#[test]
fn what_was_never_looked_up_is_not_reported() {
    let (mut mem, s) = machine();
    mem.map_zero(s, 0x1000, RW).unwrap();
    mem.write_u8(s, 0x1000, 1, User).unwrap();
    mem.protect(s, 0x1000..0x2000, RO);
    mem.unmap(s, 0..USER_END);
    assert!(!mem.pending());
    mem.map_zero(s, 0x1000, RW).unwrap();
    mem.lookup(s, 0x1000, Access::Read, User).unwrap();
    mem.write_u8(s, 0x1000, 1, User).unwrap();
    assert!(mem.pending() && mem.pending_in(s));
    let told = mem.take_invalidations(s);
    assert_eq!((told.all, told.pages), (false, vec![0x1000]), "the zero page was replaced");
}

#[test]
fn clones_and_forks_make_everything_stale() {
    let (mut mem, s) = machine();
    assert!(!mem.pending());
    let mut copy = mem.clone();
    assert!(mem.pending_in(s) && copy.pending_in(s));
    assert!(mem.take_invalidations(s).all && copy.take_invalidations(s).all);
    assert!(!mem.pending() && !copy.pending());
    let fork = mem.fork_space(s);
    assert!(mem.take_invalidations(s).all && mem.take_invalidations(fork).all);
}

#[test]
fn moving_pages_may_overlap() {
    let (mut mem, s) = machine();
    for page in [1u64, 2, 4] {
        mem.map_zero(s, page << 12, RW).unwrap();
        mem.write_u64(s, page << 12, page, User).unwrap();
    }
    mem.move_pages(s, 0x1000..0x4000, 0x2000);
    assert_eq!(mem.read_u64(s, 0x1000, User), Err(MemFault::NotPresent(0x1000)));
    assert_eq!((mem.read_u64(s, 0x2000, User), mem.read_u64(s, 0x3000, User)), (Ok(1), Ok(2)));
    assert_eq!(mem.read_u64(s, 0x4000, User), Err(MemFault::NotPresent(0x4000)), "its source was absent");
}

#[test]
fn digests_compare_contents() {
    let (mut a, s) = machine();
    let (mut b, _) = machine();
    a.map_zero(s, 0x1000, RW).unwrap();
    b.map_zero(s, 0x1000, RW).unwrap();
    assert_eq!(digest(&a), digest(&b));
    b.lookup(s, 0x1000, Access::Write, User).unwrap();
    assert_eq!(digest(&a), digest(&b), "zeros are zeros");
    b.write_u8(s, 0x1fff, 1, User).unwrap();
    assert_ne!(digest(&a), digest(&b));
    assert_eq!(digest(&b.clone()), digest(&b));
    a.write_u8(s, 0x1fff, 1, User).unwrap();
    assert_eq!(digest(&a), digest(&b));
    a.protect(s, 0..USER_END, RO);
    assert_ne!(digest(&a), digest(&b));
}

#[test]
fn snapshots_live_on_other_threads() {
    let (mut mem, s) = machine();
    for page in 0..200u64 {
        mem.map_zero(s, page << 12, RW).unwrap();
        mem.write_u64(s, page << 12, page, User).unwrap();
    }
    let workers: Vec<_> = (0..4u64)
        .map(|worker| {
            let mut copy = mem.clone();
            std::thread::spawn(move || {
                for round in 0..20u64 {
                    for page in 0..200u64 {
                        let before = copy.read_u64(s, page << 12, User).unwrap();
                        assert!(round > 0 || before == page);
                        copy.write_u64(s, page << 12, worker << 32 | round, User).unwrap();
                    }
                    let other = copy.fork_space(s);
                    copy.write_u64(other, 0, 1, User).unwrap();
                    copy.destroy_space(other);
                }
            })
        })
        .collect();
    for page in 0..200u64 {
        mem.write_u64(s, page << 12, page + 1, User).unwrap();
    }
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert!((0..200u64).all(|page| mem.read_u64(s, page << 12, User) == Ok(page + 1)));
    mem.unmap(s, 0..USER_END);
    // The roots of the kernel's half and of the space.
    assert_eq!(mem.used(), 2 * PAGE_SIZE);
}
