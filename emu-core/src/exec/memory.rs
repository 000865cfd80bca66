//! Guest memory as the bodies see it: a translation cache in front of [`Memory::lookup`].
//!
//! Key types: [`Place`], a checked place for read-modify-write; [`Reach`], what a body says that does not find its
//! memory in the cache. Neighbour: [`crate::mem`] owns pages and frames.
//!
//! **Invariant**: nothing is written before every byte of an access is known to be writable. Host addresses live in
//! the translation caches only, which follow the invalidations of [`Memory`].

use std::mem::ManuallyDrop;

use super::operand::Int;
use super::{BOUNCE_SLOT, Block, Ctx, EXIT, Env, Flow, Op, OpFn, OpRef, Slot, Stop, TLB, Tlb, ZERO, no_tag};
use crate::cpu::{Exception, RFlags, Vector, pf};
use crate::engine::Exit;
#[cfg(doc)]
use crate::mem::Memory;
use crate::mem::{Access, MemFault, PAGE_SIZE, Privilege};

/// Left in the last word of [`Ctx::scratch`] by a non-canonical access, to tell `#SS` from `#GP`.
pub(crate) const NONCANONICAL: u64 = 0x6e63;

/// First address that no program can have (Linux leaves the last page below the hole unused).
const TASK_END: u64 = 0x7fff_ffff_f000;

/// A place that may be read and written.
#[derive(Clone, Copy)]
pub(crate) struct Place(*mut u8);

impl Place {
    /// Reads it.
    #[inline(always)]
    pub(crate) fn read<T: Int>(self) -> T {
        // SAFETY: `Ctx::reach` made the pointer for this width.
        unsafe { T::load(self.0) }
    }
    /// Writes it.
    #[inline(always)]
    pub(crate) fn write<T: Int>(self, v: T) {
        // SAFETY: made by `reach` for this width, and nothing was mapped or unmapped since.
        unsafe { T::store(self.0, v) }
    }
}

/// How an operation that ends in [`Ctx::miss`] touches memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Bytes.
    bytes: u64,
    access: Access,
    /// The index register is not part of the address.
    at_base: bool,
}

impl Reach {
    /// The memory operand.
    #[inline(always)]
    pub(crate) const fn whole(bytes: u64, access: Access) -> Self {
        Reach { bytes, access, at_base: false }
    }
    /// The memory operand without its index.
    #[inline(always)]
    pub(crate) const fn base(bytes: u64, access: Access) -> Self {
        Reach { bytes, access, at_base: true }
    }
}

/// The page of [`Ctx::bounce`] as operations see it: no program can name it.
const BOUNCE: u64 = 1 << 63;

/// Behind an operation that runs on [`Ctx::bounce`]: gives what no block is at.
fn bounced(_: &mut Ctx, _: OpRef, _: &mut Env<'_>) -> Flow {
    Flow(BOUNCED)
}
const BOUNCED: *const Block = std::ptr::without_provenance(1);

/// True if bits 63 to 47 are equal.
#[inline(always)]
pub(crate) fn canonical(addr: u64) -> bool {
    ((addr as i64) << 16 >> 16) as u64 == addr
}

impl Ctx {
    /// Who accesses memory.
    pub(crate) fn who(&self) -> Privilege {
        if self.cpl == 3 { Privilege::User } else { Privilege::Supervisor }
    }

    /// Host address of `n` bytes in one page, if the cache has it.
    #[inline(always)]
    fn hit(tlb: &Tlb, addr: u64, n: u64) -> Option<*mut u8> {
        let i = (addr >> 12) as usize & (TLB - 1);
        (addr.wrapping_sub(tlb.tags[i]) <= PAGE_SIZE - n)
            .then(|| addr.wrapping_add(tlb.addends[i]) as usize as *mut u8)
    }

    /// Host address for reading `n` bytes, if the cache has the page.
    #[inline(always)]
    pub(crate) fn readable(&self, addr: u64, n: u64) -> Option<*const u8> {
        Self::hit(&self.tlb_r, addr, n).map(<*mut u8>::cast_const)
    }

    /// Host address for writing `n` bytes, if the cache has the page.
    #[inline(always)]
    pub(crate) fn writeable(&self, addr: u64, n: u64) -> Option<*mut u8> {
        Self::hit(&self.tlb_w, addr, n)
    }

    /// What an operation ends in that found its memory not at hand and has done nothing yet: brings the page in and
    /// does the operation again. One that crosses pages is done on a copy of its bytes.
    #[cold]
    #[inline(never)]
    pub(crate) fn miss(&mut self, op: OpRef, env: &mut Env<'_>, reach: &Reach) -> Flow {
        let n = reach.bytes;
        let addr = if reach.at_base { self.r(op.base).wrapping_add(op.disp as u64) } else { self.ea(&op) };
        if !self.spans_canonical(addr, n) || !self.aligned_if_asked(addr, n) {
            return self.fail(op);
        }
        if addr & 0xfff > 0x1000 - n || self.alignment_checked() {
            return self.miss_by_copy(op, env, reach, addr);
        }
        if self.host(env, addr, reach.access).is_none() {
            return self.fail(op);
        }
        (self.body_of(op))(self, op, env)
    }

    /// The body of this operation alone, also where it has that of a group.
    #[cold]
    pub(crate) fn body_of(&self, op: OpRef) -> OpFn {
        self.block().apart(op)
    }

    fn miss_by_copy(&mut self, op: OpRef, env: &mut Env<'_>, reach: &Reach, addr: u64) -> Flow {
        let n = reach.bytes as usize;
        let write = reach.access == Access::Write;
        let mut bytes = [0u8; 64];
        if write && !self.writable(env, addr, n as u64) {
            return self.fail(op);
        }
        if !self.load_bytes(env, addr, &mut bytes[..n]) {
            return self.fail(op);
        }
        // The same place in its page as far as alignment goes.
        let offset = (addr & 63) as usize;
        let page = self.bounce.as_mut_ptr().cast::<u8>();
        // SAFETY: the buffer has 128 bytes; `offset` is below 64 and `n` at most 64.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), page.add(offset), n) };
        let i = (BOUNCE >> 12) as usize & (TLB - 1);
        for tlb in [&mut self.tlb_r, &mut self.tlb_w] {
            tlb.tags[i] = BOUNCE;
            tlb.addends[i] = (page as usize as u64).wrapping_sub(BOUNCE);
        }
        self.w(BOUNCE_SLOT, BOUNCE + offset as u64);
        let index = if reach.at_base { op.index } else { ZERO };
        let exits = op.scale & EXIT;
        let first = Op { f: self.body_of(op), base: BOUNCE_SLOT, index, scale: exits, disp: 0, ..*op };
        let last = Slot { op: Op { f: bounced, ..first } };
        let link =
            if exits == 0 { last.clone() } else { Slot { link: ManuallyDrop::new(op.link().clone()) } };
        let ops = [Slot { op: first }, link, last];
        let start = OpRef::of(&ops);
        let flow = (start.f)(self, start, env);
        for tlb in [&mut self.tlb_r, &mut self.tlb_w] {
            tlb.tags[i] = no_tag(i);
        }
        if flow.0 != BOUNCED {
            if std::ptr::eq(self.link, start.link()) {
                self.link = op.link();
            }
            return flow;
        }
        if write {
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(page.add(offset), bytes.as_mut_ptr(), n) };
            // It was found writable, so this cannot fail.
            self.store_bytes(env, addr, &bytes[..n]);
        }
        if exits == 0 { op.next(self, env) } else { op.past(self, env) }
    }

    /// Reads.
    #[inline(always)]
    pub(crate) fn load<T: Int>(&mut self, env: &mut Env<'_>, addr: u64) -> Option<T> {
        if let Some(p) = Self::hit(&self.tlb_r, addr, T::BYTES) {
            // SAFETY: the cache holds readable host pages, and the access lies in one page.
            return Some(unsafe { T::load(p) });
        }
        if self.read_slow(env, addr, T::BYTES) { Some(T::of(self.scratch[0])) } else { None }
    }

    /// Reads if the cache has the page.
    #[inline(always)]
    pub(crate) fn peek<T: Int>(&self, addr: u64) -> Option<T> {
        // SAFETY: the cache holds readable host pages, and the access lies in one page.
        Self::hit(&self.tlb_r, addr, T::BYTES).map(|p| unsafe { T::load(p) })
    }

    /// A place for writing if the cache has the page.
    #[inline(always)]
    pub(crate) fn reach<T: Int>(&self, addr: u64) -> Option<Place> {
        self.writeable(addr, T::BYTES).map(Place)
    }

    /// Writes. False: it faulted.
    #[inline(always)]
    pub(crate) fn store<T: Int>(&mut self, env: &mut Env<'_>, addr: u64, v: T) -> bool {
        if let Some(p) = Self::hit(&self.tlb_w, addr, T::BYTES) {
            // SAFETY: the cache holds writable host pages, and the access lies in one page.
            unsafe { T::store(p, v) };
            return true;
        }
        self.store_slow(env, addr, v.u(), T::BYTES)
    }

    #[cold]
    #[inline(never)]
    fn store_slow(&mut self, env: &mut Env<'_>, addr: u64, v: u64, n: u64) -> bool {
        self.scratch[0] = v;
        self.write_slow(env, addr, n)
    }

    /// Reads 16 bytes.
    #[inline(always)]
    pub(crate) fn load128(&mut self, env: &mut Env<'_>, addr: u64) -> Option<[u64; 2]> {
        if let Some(p) = Self::hit(&self.tlb_r, addr, 16) {
            // SAFETY: the cache holds readable host pages, and the access lies in one page.
            return Some(unsafe { [u64::load(p), u64::load(p.add(8))] });
        }
        if self.read_slow(env, addr, 16) { Some([self.scratch[0], self.scratch[1]]) } else { None }
    }

    /// Writes 16 bytes. False: it faulted.
    #[inline(always)]
    pub(crate) fn store128(&mut self, env: &mut Env<'_>, addr: u64, v: [u64; 2]) -> bool {
        if let Some(p) = Self::hit(&self.tlb_w, addr, 16) {
            // SAFETY: the cache holds writable host pages, and the access lies in one page.
            unsafe {
                u64::store(p, v[0]);
                u64::store(p.add(8), v[1]);
            }
            return true;
        }
        self.scratch[0] = v[0];
        self.scratch[1] = v[1];
        self.write_slow(env, addr, 16)
    }

    /// Reads bytes of any number.
    pub(crate) fn load_bytes(&mut self, env: &mut Env<'_>, addr: u64, buf: &mut [u8]) -> bool {
        let mut done = 0;
        while done < buf.len() {
            let at = addr.wrapping_add(done as u64);
            let n = (PAGE_SIZE - (at & 0xfff)).min((buf.len() - done) as u64) as usize;
            let Some(p) = self.host(env, at, Access::Read) else { return false };
            // SAFETY: `host` gives a readable pointer good to the end of the page.
            unsafe { std::ptr::copy_nonoverlapping(p, buf[done..].as_mut_ptr(), n) };
            done += n;
        }
        true
    }

    /// Checks that `n` bytes, fewer than a page, may be written.
    pub(crate) fn writable(&mut self, env: &mut Env<'_>, addr: u64, n: u64) -> bool {
        let last = addr.wrapping_add(n - 1);
        self.spans_canonical(addr, n)
            && self.host(env, addr, Access::Write).is_some()
            && (last & !0xfff == addr & !0xfff || self.host(env, last & !0xfff, Access::Write).is_some())
    }

    /// Checks that `n` bytes, fewer than a page, can be accessed, as the processor does for an environment of x87: the
    /// first `word` bytes, then the last byte.
    pub(crate) fn ends(&mut self, env: &mut Env<'_>, addr: u64, word: u64, n: u64, access: Access) -> bool {
        let second = addr.max(addr.wrapping_add(word - 1) & !0xfff);
        [addr, second, addr.wrapping_add(n - 1)].into_iter().all(|at| self.host(env, at, access).is_some())
    }

    /// Writes bytes of any number below a page: all or nothing.
    pub(crate) fn store_bytes(&mut self, env: &mut Env<'_>, addr: u64, buf: &[u8]) -> bool {
        if !self.writable(env, addr, buf.len() as u64) {
            return false;
        }
        // In ascending order, so that a fault reports the lowest address.
        let mut done = 0;
        while done < buf.len() {
            let at = addr.wrapping_add(done as u64);
            let n = (PAGE_SIZE - (at & 0xfff)).min((buf.len() - done) as u64) as usize;
            let Some(p) = self.host(env, at, Access::Write) else { return false };
            // SAFETY: `host` gives a writable pointer good to the end of the page.
            unsafe { std::ptr::copy_nonoverlapping(buf[done..].as_ptr(), p, n) };
            done += n;
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn read_slow(&mut self, env: &mut Env<'_>, addr: u64, n: u64) -> bool {
        if !self.spans_canonical(addr, n) || !self.aligned_if_asked(addr, n) {
            return false;
        }
        let mut buf = [0u8; 16];
        if !self.load_bytes(env, addr, &mut buf[..n as usize]) {
            return false;
        }
        self.fill_scratch(&buf);
        true
    }

    /// Reads an element of a masked access: no alignment check looks at those.
    pub(crate) fn load_element<T: Int>(&mut self, env: &mut Env<'_>, addr: u64) -> Option<T> {
        if let Some(v) = self.peek::<T>(addr) {
            return Some(v);
        }
        let mut buf = [0u8; 8];
        let n = T::BYTES as usize;
        (self.spans_canonical(addr, T::BYTES) && self.load_bytes(env, addr, &mut buf[..n]))
            .then(|| T::of(u64::from_le_bytes(buf)))
    }

    /// The same, writing.
    pub(crate) fn store_element<T: Int>(&mut self, env: &mut Env<'_>, addr: u64, v: T) -> bool {
        self.store_bytes(env, addr, &v.u().to_le_bytes()[..T::BYTES as usize])
    }

    /// Checks that a word of `n` bytes may be written, alignment too.
    pub(crate) fn claim(&mut self, env: &mut Env<'_>, addr: u64, n: u64) -> bool {
        self.spans_canonical(addr, n) && self.aligned_if_asked(addr, n) && self.writable(env, addr, n)
    }

    #[cold]
    #[inline(never)]
    fn write_slow(&mut self, env: &mut Env<'_>, addr: u64, n: u64) -> bool {
        if !self.spans_canonical(addr, n)
            || !self.aligned_if_asked(addr, n)
            || self.host(env, addr, Access::Write).is_none()
        {
            return false;
        }
        let mut buf = [0u8; 16];
        buf[..8].copy_from_slice(&self.scratch[0].to_le_bytes());
        buf[8..].copy_from_slice(&self.scratch[1].to_le_bytes());
        self.store_bytes(env, addr, &buf[..n as usize])
    }

    fn fill_scratch(&mut self, buf: &[u8; 16]) {
        let mut w = [0u8; 8];
        for i in 0..2 {
            w.copy_from_slice(&buf[i * 8..i * 8 + 8]);
            self.scratch[i] = u64::from_le_bytes(w);
        }
    }

    /// False and `#GP` if an access runs into the hole of non-canonical addresses.
    pub(super) fn spans_canonical(&mut self, addr: u64, n: u64) -> bool {
        self.asked = (addr, n);
        if canonical(addr) && canonical(addr.wrapping_add(n - 1)) {
            return true;
        }
        self.scratch[7] = NONCANONICAL;
        self.stop = Stop::Exit(Exit::Exception(Exception::gp()));
        false
    }

    /// `#AC` where the program asked for it (rflags.AC; Linux sets CR0.AM). No access has to be aligned to more than
    /// 16 bytes.
    pub(crate) fn aligned_if_asked(&mut self, addr: u64, n: u64) -> bool {
        let n = if n.is_power_of_two() { n.min(16) } else { 8 };
        if self.alignment_checked() && addr & (n - 1) != 0 && canonical(addr) {
            self.scratch[7] = 0;
            self.stop = Stop::Exit(Exit::Exception(Exception::new(Vector::AlignmentCheck)));
            return false;
        }
        true
    }

    /// True if misaligned accesses raise `#AC`.
    pub(crate) fn alignment_checked(&self) -> bool {
        self.system_flags & RFlags::AC.bits() != 0 && self.cpl == 3
    }

    /// Host address of `addr`, good to the end of its page; fills the cache. `None`: [`Ctx::stop`] says why not.
    pub(crate) fn host(&mut self, env: &mut Env<'_>, addr: u64, access: Access) -> Option<*mut u8> {
        let tlb = if access == Access::Write { &self.tlb_w } else { &self.tlb_r };
        if let Some(p) = Self::hit(tlb, addr, 1) {
            return Some(p);
        }
        let page = match self.lookup(env, addr, access) {
            Ok(page) => page,
            Err(e) => {
                self.stop = Stop::Exit(Exit::Exception(e));
                return None;
            }
        };
        let at = addr & !0xfff;
        if access == Access::Write {
            if !self.single && (page.code || (env.mem.pending() && self.code_pages.contains(&at))) {
                self.stop = Stop::Retry;
                return None;
            }
            if page.code {
                env.mem.code_written(page.frame, env.space, addr);
            }
        }
        if !self.alignment_checked() {
            let addend = (page.ptr as usize as u64).wrapping_sub(at);
            let i = (addr >> 12) as usize & (TLB - 1);
            self.note_fill(i);
            if access == Access::Write {
                self.tlb_w.tags[i] = at;
                self.tlb_w.addends[i] = addend;
                // The page may have got a new frame.
                if self.tlb_r.tags[i] == at {
                    self.tlb_r.addends[i] = addend;
                }
            } else {
                self.tlb_r.tags[i] = at;
                self.tlb_r.addends[i] = addend;
            }
        }
        // SAFETY: the offset lies in the page.
        Some(unsafe { page.ptr.add((addr & 0xfff) as usize) })
    }

    /// Looks a page up; a failure as the exception it raises.
    pub(crate) fn lookup(
        &mut self,
        env: &mut Env<'_>,
        addr: u64,
        access: Access,
    ) -> Result<crate::mem::HostPage, Exception> {
        self.scratch[7] = 0;
        if !canonical(addr) {
            self.scratch[7] = NONCANONICAL;
            return Err(Exception::gp());
        }
        env.mem.lookup(env.space, addr, access, self.who()).map_err(|fault| {
            let mut code = match access {
                Access::Read => 0,
                Access::Write => pf::WRITE,
                Access::Execute => pf::FETCH,
            };
            if self.cpl == 3 {
                code |= pf::USER;
                // Linux hides from programs what of the kernel's half is mapped.
                if addr >= TASK_END {
                    code |= pf::PRESENT;
                }
            }
            match fault {
                MemFault::Protection(_) => Exception::page_fault(addr, code | pf::PRESENT),
                MemFault::NotPresent(_) | MemFault::OutOfMemory(_) => Exception::page_fault(addr, code),
                MemFault::NonCanonical(_) => Exception::gp(),
            }
        })
    }
}
