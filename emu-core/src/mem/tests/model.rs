//! Random operations on [`Memory`] and on a naive model of it, side by side, with an engine's cache of host addresses
//! and of "decoded" pages in between that keeps to the rules of [`super::super::invalidate`].

#![allow(clippy::cast_possible_truncation, reason = "offsets in a page fit")]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use proptest::prelude::*;

use super::*;

const SPACES: usize = 3;
const OBJECTS: usize = 2;
const OBJECT_PAGES: u64 = 4;
/// Pages on both sides of the borders of nodes, and some of the kernel's.
const PAGES: [u64; 12] = [
    0x0,
    0x1000,
    0x2000,
    0x1f_f000,
    0x20_0000,
    0x3fff_f000,
    0x4000_0000,
    0x7f_ffff_f000,
    0x80_0000_0000,
    USER_END - 0x1000,
    KERNEL_START,
    u64::MAX - 0xfff,
];

#[derive(Debug, Clone)]
enum Op {
    Zero(usize, usize, u8),
    Private(usize, usize, usize, u64, u8),
    Shared(usize, usize, usize, u64, u8),
    Unmap(usize, usize, usize),
    Protect(usize, usize, usize, u8),
    Move(usize, usize, usize, usize),
    Fork(usize, usize),
    Remake(usize),
    Write(usize, usize, u64, u8, usize),
    Forced(usize, usize, u64, u8),
    EngineWrite(usize, usize, u64, u8),
    EngineRead(usize, usize),
    EngineRun(usize, usize),
    ObjectWrite(usize, u64, u8, usize),
    Truncate(usize, u64),
    Punch(usize, u64, u64),
    RemakeObject(usize),
    Snapshot,
    Swap,
    DropSnapshot,
}

fn op() -> impl Strategy<Value = Op> {
    // Most of it happens in few places, so that operations meet.
    let s = || prop_oneof![3 => 0..2usize, 1 => 0..SPACES];
    let p = || prop_oneof![4 => 1..4usize, 1 => 0..PAGES.len()];
    let o = || prop_oneof![3 => Just(0usize), 1 => 0..OBJECTS];
    let i = || prop_oneof![3 => Just(0u64), 1 => 0..OBJECT_PAGES];
    let prot = || prop_oneof![4 => Just(15u8), 1 => Just(11u8), 1 => Just(13u8), 1 => 0..16u8];
    let at = || prop_oneof![Just(0u64), Just(4094u64), 0..4096u64];
    let byte = || 0..OBJECT_PAGES * 4096;
    prop_oneof![
        4 => (s(), p(), prot()).prop_map(|(s, p, r)| Op::Zero(s, p, r)),
        3 => (s(), p(), o(), i(), prot()).prop_map(|(s, p, o, i, r)| Op::Private(s, p, o, i, r)),
        3 => (s(), p(), o(), i(), prot()).prop_map(|(s, p, o, i, r)| Op::Shared(s, p, o, i, r)),
        1 => (s(), p(), p()).prop_map(|(s, a, b)| Op::Unmap(s, a, b)),
        1 => (s(), p(), p(), prot()).prop_map(|(s, a, b, r)| Op::Protect(s, a, b, r)),
        1 => (s(), 0..3usize, 0..3usize, 0..3usize).prop_map(|(s, a, n, to)| Op::Move(s, a, n, to)),
        2 => (s(), s()).prop_map(|(a, b)| Op::Fork(a, b)),
        1 => s().prop_map(Op::Remake),
        4 => (s(), p(), at(), 1..255u8, 1..9000usize).prop_map(|(s, p, a, v, n)| Op::Write(s, p, a, v, n)),
        1 => (s(), p(), at(), 1..255u8).prop_map(|(s, p, a, v)| Op::Forced(s, p, a, v)),
        8 => (s(), p(), at(), 1..255u8).prop_map(|(s, p, a, v)| Op::EngineWrite(s, p, a, v)),
        8 => (s(), p()).prop_map(|(s, p)| Op::EngineRead(s, p)),
        8 => (s(), p()).prop_map(|(s, p)| Op::EngineRun(s, p)),
        3 => (o(), byte(), 1..255u8, 1..9000usize).prop_map(|(o, a, v, n)| Op::ObjectWrite(o, a, v, n)),
        1 => (o(), byte()).prop_map(|(o, a)| Op::Truncate(o, a)),
        1 => (o(), byte(), byte()).prop_map(|(o, a, b)| Op::Punch(o, a, b)),
        1 => o().prop_map(Op::RemakeObject),
        1 => Just(Op::Snapshot),
        2 => Just(Op::Swap),
        1 => Just(Op::DropSnapshot),
    ]
}

type Bytes = Box<[u8; 4096]>;

#[derive(Debug, Clone)]
enum Backing {
    Own(Bytes),
    Object(ObjectId, u64),
}

#[derive(Debug, Clone)]
struct Page {
    prot: PageProt,
    backing: Backing,
}

#[derive(Debug, Clone, Default)]
struct Object {
    pages: BTreeMap<u64, Bytes>,
    len: u64,
}

#[derive(Debug, Clone, Default)]
struct Naive {
    spaces: BTreeMap<SpaceId, BTreeMap<u64, Page>>,
    kernel: BTreeMap<u64, Page>,
    objects: BTreeMap<ObjectId, Object>,
}

fn zeros() -> Bytes {
    Box::new([0; 4096])
}

impl Naive {
    fn half(&mut self, space: SpaceId, addr: u64) -> &mut BTreeMap<u64, Page> {
        if addr >= KERNEL_START { &mut self.kernel } else { self.spaces.get_mut(&space).unwrap() }
    }

    fn page(&self, space: SpaceId, addr: u64) -> Option<&Page> {
        let half = if addr >= KERNEL_START { &self.kernel } else { &self.spaces[&space] };
        half.get(&(addr & !0xfff)).filter(|page| match &page.backing {
            Backing::Own(_) => true,
            Backing::Object(object, index) => {
                self.objects.get(object).is_some_and(|o| *index < o.len.div_ceil(4096))
            }
        })
    }

    fn allowed(
        &self,
        space: SpaceId,
        addr: u64,
        access: Access,
        forced: bool,
        who: Privilege,
    ) -> Result<(), MemFault> {
        let page = self.page(space, addr).ok_or(MemFault::NotPresent(addr))?;
        let bit = match access {
            Access::Read => PageProt::READ,
            Access::Write => PageProt::WRITE,
            Access::Execute => PageProt::EXEC,
        };
        let user = who == Supervisor || page.prot.contains(PageProt::USER);
        if forced || page.prot.contains(bit) && user { Ok(()) } else { Err(MemFault::Protection(addr)) }
    }

    fn bytes(&self, space: SpaceId, addr: u64) -> Bytes {
        match &self.page(space, addr).unwrap().backing {
            Backing::Own(bytes) => bytes.clone(),
            Backing::Object(object, index) => {
                self.objects[object].pages.get(index).cloned().unwrap_or_else(zeros)
            }
        }
    }

    fn bytes_mut(&mut self, space: SpaceId, addr: u64) -> &mut Bytes {
        let page = addr & !0xfff;
        match self.half(space, addr).get(&page).unwrap().backing.clone() {
            Backing::Own(_) => match &mut self.half(space, addr).get_mut(&page).unwrap().backing {
                Backing::Own(bytes) => bytes,
                Backing::Object(..) => unreachable!(),
            },
            Backing::Object(object, index) => {
                self.objects.get_mut(&object).unwrap().pages.entry(index).or_insert_with(zeros)
            }
        }
    }

    fn remove(&mut self, space: SpaceId, range: Range<u64>) {
        self.spaces.get_mut(&space).unwrap().retain(|page, _| !range.contains(page));
        self.kernel.retain(|page, _| !range.contains(page));
    }

    fn write(
        &mut self,
        space: SpaceId,
        addr: u64,
        buf: &[u8],
        forced: bool,
        who: Privilege,
    ) -> Result<(), (usize, MemFault)> {
        let mut done = 0;
        while done < buf.len() {
            let at = addr.checked_add(done as u64).ok_or((done, MemFault::NonCanonical(u64::MAX)))?;
            let canonical = !(USER_END..KERNEL_START).contains(&at);
            if !canonical {
                return Err((done, MemFault::NonCanonical(at)));
            }
            self.allowed(space, at, Access::Write, forced, who).map_err(|fault| (done, fault))?;
            let within = (at & 0xfff) as usize;
            let count = (4096 - within).min(buf.len() - done);
            self.bytes_mut(space, at)[within..within + count].copy_from_slice(&buf[done..done + count]);
            done += count;
        }
        Ok(())
    }
}

/// What an engine holds.
#[derive(Default)]
struct Cache {
    tlb: BTreeMap<(SpaceId, u64, u8), HostPage>,
    decoded: BTreeMap<FrameId, Bytes>,
}

struct Machine {
    mem: Memory,
    naive: Naive,
    cache: Cache,
    spaces: Vec<SpaceId>,
    objects: Vec<ObjectId>,
}

impl Machine {
    fn new() -> Self {
        let mut mem = Memory::new(64 << 20);
        let mut naive = Naive::default();
        let spaces: Vec<_> = (0..SPACES).map(|_| mem.create_space()).collect();
        let objects: Vec<_> = (0..OBJECTS).map(|_| mem.create_object()).collect();
        naive.spaces.extend(spaces.iter().map(|id| (*id, BTreeMap::new())));
        let empty = Object { pages: BTreeMap::new(), len: u64::MAX };
        naive.objects.extend(objects.iter().map(|id| (*id, empty.clone())));
        Self { mem, naive, cache: Cache::default(), spaces, objects }
    }

    fn snapshot(&self) -> Self {
        Self {
            mem: self.mem.clone(),
            naive: self.naive.clone(),
            cache: Cache::default(),
            spaces: self.spaces.clone(),
            objects: self.objects.clone(),
        }
    }

    /// Drops from the cache what the memory says.
    fn settle(&mut self, space: SpaceId) {
        if !self.mem.pending_in(space) {
            return;
        }
        assert!(self.mem.pending());
        let told = self.mem.take_invalidations(space);
        self.cache.tlb.retain(|(s, page, _), _| *s != space || !told.all && !told.pages.contains(page));
        self.cache.decoded.retain(|frame, _| !told.code.contains(frame));
        assert!(!self.mem.pending_in(space));
    }

    fn cached(&mut self, space: SpaceId, page: u64, access: Access) -> Result<HostPage, MemFault> {
        self.settle(space);
        let key = (space, page, access as u8);
        let who = if page >= KERNEL_START { Supervisor } else { User };
        let allowed = self.naive.allowed(space, page, access, false, who);
        if let Some(host) = self.cache.tlb.get(&key) {
            assert_eq!(allowed, Ok(()), "a cached page is still allowed");
            return Ok(*host);
        }
        let found = self.mem.lookup(space, page, access, who);
        assert_eq!(found.map(|_| ()), allowed);
        let host = found?;
        if let Backing::Object(..) = self.naive.page(space, page).unwrap().backing {
            self.naive.bytes_mut(space, page); // a looked-up hole gets its page
        }
        self.settle(space);
        if access != Access::Write || !host.code {
            self.cache.tlb.insert(key, host);
        }
        Ok(host)
    }

    fn host_bytes(host: HostPage) -> Bytes {
        // SAFETY: the invalidations were honoured, so the page is there and nobody writes it now.
        Box::new(unsafe { host.ptr.cast::<[u8; 4096]>().read() })
    }

    fn apply(&mut self, op: &Op) {
        let prot = PageProt::from_bits_truncate;
        match *op {
            Op::Zero(s, p, r) => {
                let (s, p) = (self.spaces[s], PAGES[p]);
                self.mem.map_zero(s, p, prot(r)).unwrap();
                let page = Page { prot: prot(r), backing: Backing::Own(zeros()) };
                self.naive.half(s, p).insert(p, page);
            }
            Op::Private(s, p, o, index, r) => {
                let (s, p, o) = (self.spaces[s], PAGES[p], self.objects[o]);
                self.mem.map_private(s, p, o, index, prot(r)).unwrap();
                let object = &self.naive.objects[&o];
                let bytes = object.pages.get(&index).cloned().unwrap_or_else(zeros);
                let page = Page { prot: prot(r), backing: Backing::Own(bytes) };
                self.naive.half(s, p).insert(p, page);
            }
            Op::Shared(s, p, o, index, r) => {
                let (s, p, o) = (self.spaces[s], PAGES[p], self.objects[o]);
                self.mem.map_shared(s, p, o, index, prot(r)).unwrap();
                let object = self.naive.objects.get_mut(&o).unwrap();
                object.len = object.len.max((index + 1) * 4096);
                let page = Page { prot: prot(r), backing: Backing::Object(o, index) };
                self.naive.half(s, p).insert(p, page);
            }
            Op::Unmap(s, a, b) => {
                let range = PAGES[a.min(b)]..PAGES[a.max(b)];
                self.mem.unmap(self.spaces[s], range.clone());
                self.naive.remove(self.spaces[s], range);
            }
            Op::Protect(s, a, b, r) => {
                let range = PAGES[a.min(b)]..PAGES[a.max(b)];
                self.mem.protect(self.spaces[s], range.clone(), prot(r));
                let space = self.naive.spaces.get_mut(&self.spaces[s]).unwrap();
                for (_, page) in space.range_mut(range.clone()).chain(self.naive.kernel.range_mut(range)) {
                    page.prot = prot(r);
                }
            }
            Op::Move(s, a, n, to) => {
                let (s, from) = (self.spaces[s], PAGES[a]..PAGES[a] + 0x1000 * (n as u64 + 1));
                let to = PAGES[to];
                self.mem.move_pages(s, from.clone(), to);
                let space = self.naive.spaces.get_mut(&s).unwrap();
                let moved: Vec<_> = space.range(from.clone()).map(|(k, v)| (*k, v.clone())).collect();
                self.naive.remove(s, from.clone());
                self.naive.remove(s, to..to + (from.end - from.start));
                for (page, what) in moved {
                    self.naive.half(s, 0).insert(page - from.start + to, what);
                }
            }
            Op::Fork(a, b) if a != b => {
                self.forget(b);
                let fork = self.mem.fork_space(self.spaces[a]);
                let copy = self.naive.spaces[&self.spaces[a]].clone();
                self.naive.spaces.insert(fork, copy);
                self.spaces[b] = fork;
            }
            Op::Fork(..) => {}
            Op::Remake(s) => {
                self.forget(s);
                self.spaces[s] = self.mem.create_space();
                self.naive.spaces.insert(self.spaces[s], BTreeMap::new());
            }
            Op::Write(s, p, at, value, len) => {
                let (s, addr, buf) = (self.spaces[s], PAGES[p] + at, vec![value; len]);
                let ours = self.mem.write(s, addr, &buf, User);
                assert_eq!(ours, self.naive.write(s, addr, &buf, false, User));
            }
            Op::Forced(s, p, at, value) => {
                let (s, addr, buf) = (self.spaces[s], PAGES[p] + at, [value; 9]);
                let ours = self.mem.write_forced(s, addr, &buf);
                assert_eq!(ours, self.naive.write(s, addr, &buf, true, Supervisor));
            }
            Op::EngineWrite(s, p, at, value) => {
                let (s, p) = (self.spaces[s], PAGES[p]);
                let Ok(mut host) = self.cached(s, p, Access::Write) else { return };
                if host.code {
                    self.mem.code_written(host.frame, s, p);
                    host = self.cached(s, p, Access::Write).unwrap();
                    assert!(!host.code, "the mark was cleared");
                }
                // SAFETY: as for reading, and the page was looked up for writing.
                unsafe { host.ptr.add(at as usize).write(value) };
                self.naive.bytes_mut(s, p)[at as usize] = value;
            }
            Op::EngineRead(s, p) => {
                let (s, p) = (self.spaces[s], PAGES[p]);
                let Ok(host) = self.cached(s, p, Access::Read) else { return };
                assert_eq!(Self::host_bytes(host), self.naive.bytes(s, p));
            }
            Op::EngineRun(s, p) => {
                let (s, p) = (self.spaces[s], PAGES[p]);
                let Ok(host) = self.cached(s, p, Access::Execute) else { return };
                match self.cache.decoded.entry(host.frame) {
                    Entry::Occupied(decoded) => assert_eq!(*decoded.get(), self.naive.bytes(s, p)),
                    Entry::Vacant(slot) => {
                        slot.insert(Self::host_bytes(host));
                        self.mem.mark_code(s, p);
                    }
                }
            }
            Op::ObjectWrite(o, at, value, len) => {
                let (o, buf) = (self.objects[o], vec![value; len]);
                self.mem.object_write(o, at, &buf).unwrap();
                let object = self.naive.objects.get_mut(&o).unwrap();
                for at in at..at + len as u64 {
                    object.pages.entry(at / 4096).or_insert_with(zeros)[(at % 4096) as usize] = value;
                }
                object.len = object.len.max(at + len as u64);
            }
            Op::Truncate(o, len) => {
                self.mem.object_truncate(self.objects[o], len);
                let object = self.naive.objects.get_mut(&self.objects[o]).unwrap();
                object.pages.retain(|index, _| index * 4096 < len);
                if let Some(page) = object.pages.get_mut(&(len / 4096)) {
                    page[(len % 4096) as usize..].fill(0);
                }
                object.len = len;
            }
            Op::Punch(o, a, b) => {
                let range = a.min(b)..a.max(b);
                self.mem.object_punch(self.objects[o], range.clone());
                let object = self.naive.objects.get_mut(&self.objects[o]).unwrap();
                object.pages.retain(|index, _| range.start > index * 4096 || (index + 1) * 4096 > range.end);
                for at in range {
                    if let Some(page) = object.pages.get_mut(&(at / 4096)) {
                        page[(at % 4096) as usize] = 0;
                    }
                }
            }
            Op::RemakeObject(o) => {
                self.mem.destroy_object(self.objects[o]);
                self.naive.objects.remove(&self.objects[o]);
                self.objects[o] = self.mem.create_object();
                let empty = Object { pages: BTreeMap::new(), len: u64::MAX };
                self.naive.objects.insert(self.objects[o], empty);
            }
            Op::Snapshot | Op::Swap | Op::DropSnapshot => {}
        }
    }

    fn forget(&mut self, s: usize) {
        self.mem.destroy_space(self.spaces[s]);
        self.naive.spaces.remove(&self.spaces[s]);
    }

    /// Everything is the same in both.
    fn compare(&self) {
        for (&space, pages) in &self.naive.spaces {
            assert_eq!(self.mem.resident(space), pages.len() as u64);
            assert_eq!(self.mem.mapped_pages(space, 0..USER_END), pages.len() as u64);
            assert_eq!(self.mem.next_mapped(space, 0..USER_END), pages.keys().next().copied());
            for page in PAGES {
                let expected = self.naive.page(space, page);
                let info = self.mem.page(space, page);
                assert_eq!(info.map(|info| info.prot), expected.map(|page| page.prot));
                let mut buf = zeros();
                let read = self.mem.read_forced(space, page, &mut *buf);
                assert_eq!(read.is_ok(), expected.is_some());
                if expected.is_some() {
                    assert_eq!(buf, self.naive.bytes(space, page));
                }
            }
        }
        for (&id, object) in &self.naive.objects {
            assert_eq!(self.mem.object_pages(id), object.pages.len() as u64);
            for index in 0..OBJECT_PAGES + 4 {
                let page = object.pages.get(&index);
                assert_eq!(self.mem.object_has_page(id, index), page.is_some());
                let mut buf = zeros();
                self.mem.object_read(id, index * 4096, &mut *buf);
                assert_eq!(&buf, page.unwrap_or(&zeros()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_as_the_naive_one(ops in prop::collection::vec(op(), 1..150)) {
        let mut now = Machine::new();
        let mut snapshots: Vec<Machine> = Vec::new();
        for op in &ops {
            match op {
                Op::Snapshot => snapshots.push(now.snapshot()),
                Op::Swap if !snapshots.is_empty() => {
                    let index = snapshots.len() / 2;
                    std::mem::swap(&mut now, &mut snapshots[index]);
                }
                Op::DropSnapshot => drop(snapshots.pop()),
                _ => now.apply(op),
            }
        }
        snapshots.push(now);
        for machine in &snapshots {
            machine.compare();
            prop_assert_eq!(digest(&machine.mem), digest(&machine.mem.clone()));
        }
    }
}
