//! Frames: 4 KiB pages of host memory with a count of references, from a pool that knows its bound.
//!
//! Key types: [`Frame`] (a counted handle), [`Pool`] (where frames come from; one for a machine and its snapshots),
//! [`Charge`] (what a table node takes of the same bound). Neighbours: [`super::table`] and [`super::object`] hold
//! frames.
//!
//! **Invariant**: a frame is written only by who holds the only reference to it (and holds everything above it,
//! table nodes included, alone). So snapshots may live on other threads without locks around contents.
//! **Invariant**: no [`Frame`] outlives its pool: every owner of frames holds an `Arc` of it as well.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memmap2::MmapMut;

use super::{FrameId, OutOfMemory};

/// Bytes in a frame, as the host counts.
pub(super) const FRAME_LEN: usize = 4096;
/// Frames in the first chunk that is taken from the host; each further chunk is twice the one before.
const FIRST_CHUNK: usize = 64;
/// Frames in the largest chunk (16 MiB).
const LARGEST_CHUNK: usize = 4096;
/// Frames that are taken into use at once: 64 KiB, for one fault of the host instead of 16.
const RUN: usize = 16;

#[repr(C, align(4096))]
struct ZeroPage([u8; FRAME_LEN]);
static ZERO_PAGE: ZeroPage = ZeroPage([0; FRAME_LEN]);

/// Identity of the page that stands for everything never written.
pub(super) const ZERO_FRAME: FrameId = FrameId(0);

/// The page that stands for everything never written. Only to be read.
pub(super) fn zero_page() -> NonNull<u8> {
    NonNull::from(&ZERO_PAGE.0).cast()
}

/// Whether the bound on memory holds for an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// Fails at the bound.
    Checked,
    /// Goes over it: for what cannot be refused (taking memory away needs some).
    Exceeded,
}

struct Meta {
    refs: AtomicU32,
    code: AtomicBool,
    id: AtomicU64,
    page: NonNull<u8>,
    pool: NonNull<Pool>,
}

/// A counted reference to a frame: `clone()` shares it.
pub(super) struct Frame(NonNull<Meta>);

// SAFETY: the counts and marks are atomic; the page is written only through the only reference (see the module).
unsafe impl Send for Frame {}
// SAFETY: as above; `&Frame` gives no more than reading the page and counting.
unsafe impl Sync for Frame {}

impl Frame {
    fn meta(&self) -> &Meta {
        // SAFETY: a chunk's metadata live as long as the pool, which outlives its frames.
        unsafe { self.0.as_ref() }
    }

    /// Host address of the page.
    pub(super) fn page(&self) -> NonNull<u8> {
        self.meta().page
    }

    pub(super) fn id(&self) -> FrameId {
        FrameId(self.meta().id.load(Ordering::Relaxed))
    }

    /// Whether this is the only reference. Says nothing unless the caller also owns alone what holds it.
    pub(super) fn is_unique(&self) -> bool {
        let unique = self.meta().refs.load(Ordering::Relaxed) == 1;
        fence(Ordering::Acquire);
        unique
    }

    pub(super) fn has_code(&self) -> bool {
        self.meta().code.load(Ordering::Relaxed)
    }

    /// Sets or clears the mark "instructions were decoded from here"; returns what it was.
    pub(super) fn set_code(&self, code: bool) -> bool {
        self.meta().code.swap(code, Ordering::Relaxed)
    }

    /// Makes this reference the only one, copying the page if need be. Returns whether the frame was replaced.
    pub(super) fn make_unique(&mut self, bound: Bound) -> Result<bool, OutOfMemory> {
        if self.is_unique() {
            return Ok(false);
        }
        // SAFETY: the pool outlives its frames.
        let copy = unsafe { self.meta().pool.as_ref() }.copy_of(self, bound)?;
        *self = copy;
        Ok(true)
    }

    /// Copies bytes out; `offset + buf.len()` is within the page.
    pub(super) fn read(&self, offset: usize, buf: &mut [u8]) {
        assert!(offset <= FRAME_LEN && buf.len() <= FRAME_LEN - offset, "read past a frame");
        // SAFETY: in bounds; nobody writes a shared frame, and an owned one only with `&mut`.
        unsafe { self.page().as_ptr().add(offset).copy_to_nonoverlapping(buf.as_mut_ptr(), buf.len()) }
    }

    /// Copies bytes in; the frame must be unique.
    pub(super) fn write(&mut self, offset: usize, buf: &[u8]) {
        assert!(offset <= FRAME_LEN && buf.len() <= FRAME_LEN - offset, "write past a frame");
        assert!(self.is_unique(), "write to a shared frame");
        // SAFETY: in bounds, and nobody else refers to the frame.
        unsafe { self.page().as_ptr().add(offset).copy_from_nonoverlapping(buf.as_ptr(), buf.len()) }
    }

    /// Changes the words from `offset` on, which are within the page; the frame must be unique.
    pub(super) fn change_words<const N: usize>(&mut self, offset: usize, change: impl FnOnce(&mut [u64; N])) {
        assert!(offset <= FRAME_LEN && 8 * N <= FRAME_LEN - offset, "words past a frame");
        assert!(self.is_unique(), "write to a shared frame");
        // SAFETY: in bounds, and nobody else refers to the frame; the type read is an array of bytes, of any value.
        let place = unsafe { &mut *self.page().as_ptr().add(offset).cast::<[[u8; 8]; N]>() };
        let mut words = place.map(u64::from_le_bytes);
        change(&mut words);
        *place = words.map(u64::to_le_bytes);
    }

    /// Zeroes bytes; the frame must be unique.
    pub(super) fn zero(&mut self, offset: usize, len: usize) {
        assert!(offset <= FRAME_LEN && len <= FRAME_LEN - offset, "zeroing past a frame");
        assert!(self.is_unique(), "write to a shared frame");
        // SAFETY: in bounds, and nobody else refers to the frame.
        unsafe { self.page().as_ptr().add(offset).write_bytes(0, len) }
    }

    /// The bytes, for hashing.
    pub(super) fn bytes(&self) -> &[u8; FRAME_LEN] {
        // SAFETY: the page is initialised, and cannot be written while a shared borrow of its owner lasts.
        unsafe { self.page().cast::<[u8; FRAME_LEN]>().as_ref() }
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        self.meta().refs.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if self.meta().refs.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            let pool = self.meta().pool;
            // SAFETY: the pool outlives its frames.
            unsafe { pool.as_ref() }.release(self.0);
        }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({}, refs {})", self.id().0, self.meta().refs.load(Ordering::Relaxed))
    }
}

/// A run of frames from the host and their metadata.
struct Chunk {
    map: MmapMut,
    metas: NonNull<Meta>,
    len: usize,
    /// Frames handed out at least once.
    used: usize,
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let metas = NonNull::slice_from_raw_parts(self.metas, self.len);
        // SAFETY: `metas` came from `Box::into_raw` of a slice of this length, and is freed once.
        drop(unsafe { Box::from_raw(metas.as_ptr()) });
    }
}

struct Store {
    chunks: Vec<Chunk>,
    free: Vec<NonNull<Meta>>,
}

// SAFETY: the pointers lead to metadata, whose fields are atomic or never change, owned by the same pool.
unsafe impl Send for Store {}

/// Where frames come from. One for a machine and all its snapshots: the bound is on them together.
pub(super) struct Pool {
    store: Mutex<Store>,
    /// Pages taken: frames and table nodes.
    used: AtomicU64,
    next_id: AtomicU64,
    limit: u64,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} of {} pages)", self.used(), self.limit)
    }
}

/// A frame whose page is about to be filled.
struct Raw {
    meta: NonNull<Meta>,
    /// Fresh from the host: zeros already.
    virgin: bool,
}

impl Pool {
    /// `limit` in pages.
    pub(super) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            store: Mutex::new(Store { chunks: Vec::new(), free: Vec::new() }),
            used: AtomicU64::new(0),
            next_id: AtomicU64::new(ZERO_FRAME.0 + 1),
            limit,
        })
    }

    /// Pages taken.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// A frame of zeros.
    pub(super) fn zeroed(&self, bound: Bound) -> Result<Frame, OutOfMemory> {
        let raw = self.allocate(bound)?;
        // SAFETY: the frame is in nobody else's hands yet; its metadata live as long as the pool.
        let page = unsafe { raw.meta.as_ref() }.page;
        if !raw.virgin {
            // SAFETY: as above, and a page is FRAME_LEN bytes.
            unsafe { page.as_ptr().write_bytes(0, FRAME_LEN) };
        }
        Ok(Frame(raw.meta))
    }

    fn copy_of(&self, source: &Frame, bound: Bound) -> Result<Frame, OutOfMemory> {
        let raw = self.allocate(bound)?;
        // SAFETY: the new frame is in nobody else's hands yet; its metadata live as long as the pool.
        let page = unsafe { raw.meta.as_ref() }.page;
        // SAFETY: two different pages of FRAME_LEN bytes; the source is shared, so nobody writes it.
        unsafe { page.as_ptr().copy_from_nonoverlapping(source.page().as_ptr(), FRAME_LEN) };
        Ok(Frame(raw.meta))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allocate(&self, bound: Bound) -> Result<Raw, OutOfMemory> {
        self.charge(1, bound)?;
        let mut store = self.store();
        let raw = match store.free.pop() {
            Some(meta) => Ok(Raw { meta, virgin: false }),
            None => store.virgin(NonNull::from(self)).map(|meta| Raw { meta, virgin: true }),
        };
        drop(store);
        match &raw {
            Ok(raw) => {
                // SAFETY: metadata live as long as the pool.
                let meta = unsafe { raw.meta.as_ref() };
                meta.refs.store(1, Ordering::Relaxed);
                meta.code.store(false, Ordering::Relaxed);
                meta.id.store(self.next_id.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            }
            Err(OutOfMemory) => self.uncharge(1),
        }
        raw
    }

    fn release(&self, meta: NonNull<Meta>) {
        self.store().free.push(meta);
        self.uncharge(1);
    }

    fn charge(&self, pages: u64, bound: Bound) -> Result<(), OutOfMemory> {
        let before = self.used.fetch_add(pages, Ordering::Relaxed);
        if bound == Bound::Checked && before + pages > self.limit {
            self.uncharge(pages);
            return Err(OutOfMemory);
        }
        Ok(())
    }

    fn uncharge(&self, pages: u64) {
        self.used.fetch_sub(pages, Ordering::Relaxed);
    }
}

impl Store {
    /// A frame never used before, from the host if need be.
    fn virgin(&mut self, pool: NonNull<Pool>) -> Result<NonNull<Meta>, OutOfMemory> {
        if self.chunks.last().is_none_or(|chunk| chunk.used == chunk.len) {
            let len = self.chunks.last().map_or(FIRST_CHUNK, |chunk| (chunk.len * 2).min(LARGEST_CHUNK));
            self.chunks.push(Chunk::new(len, pool)?);
        }
        let chunk = self.chunks.last_mut().ok_or(OutOfMemory)?;
        let index = chunk.used;
        chunk.used += 1;
        if index.is_multiple_of(RUN) {
            chunk.fault_in(index);
        }
        // SAFETY: `index < len` metadata.
        Ok(unsafe { chunk.metas.add(index) })
    }
}

impl Chunk {
    fn new(len: usize, pool: NonNull<Pool>) -> Result<Self, OutOfMemory> {
        let mut map = MmapMut::map_anon(len * FRAME_LEN).map_err(|_| OutOfMemory)?;
        let base = NonNull::new(map.as_mut_ptr()).ok_or(OutOfMemory)?;
        let metas: Box<[Meta]> = (0..len)
            .map(|index| Meta {
                refs: AtomicU32::new(0),
                code: AtomicBool::new(false),
                id: AtomicU64::new(0),
                // SAFETY: within the mapping of `len` pages.
                page: unsafe { base.add(index * FRAME_LEN) },
                pool,
            })
            .collect();
        let metas = NonNull::from(Box::leak(metas)).cast();
        Ok(Self { map, metas, len, used: 0 })
    }

    /// Asks the host for the pages of the run at `index` at once, where it knows how.
    fn fault_in(&self, index: usize) {
        #[cfg(target_os = "linux")]
        {
            let len = RUN.min(self.len - index) * FRAME_LEN;
            // They come one by one if not.
            let _ = self.map.advise_range(memmap2::Advice::PopulateWrite, index * FRAME_LEN, len);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (&self.map, index);
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunk({} bytes)", self.map.len())
    }
}

/// What something other than a frame takes of the pool's bound. A clone takes as much again, over the bound if it
/// must: taking memory away may need a copy of a node.
#[derive(Debug)]
pub(super) struct Charge {
    pool: Arc<Pool>,
    pages: u64,
}

impl Charge {
    pub(super) fn new(pool: &Arc<Pool>, pages: u64, bound: Bound) -> Result<Self, OutOfMemory> {
        pool.charge(pages, bound)?;
        Ok(Self { pool: Arc::clone(pool), pages })
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

impl Clone for Charge {
    fn clone(&self) -> Self {
        self.pool.used.fetch_add(self.pages, Ordering::Relaxed);
        Self { pool: Arc::clone(&self.pool), pages: self.pages }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.pool.uncharge(self.pages);
    }
}
