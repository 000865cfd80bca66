//! Who runs next: a round-robin queue of runnable tasks.
//!
//! **Invariant**: exactly the runnable tasks are in the queue, each once; the order follows from what the guest did.

use crate::task::TaskId;

/// The run queue.
#[derive(Debug, Clone, Default)]
pub struct Scheduler {
    queue: imbl::Vector<TaskId>,
    /// Task that runs, at the head while it has its slice.
    pub current: Option<TaskId>,
}

impl Scheduler {
    /// Adds a task at the end; nothing if it is there.
    pub fn add(&mut self, tid: TaskId) {
        if !self.queue.contains(&tid) {
            self.queue.push_back(tid);
        }
    }
    /// Takes a task off.
    pub fn remove(&mut self, tid: TaskId) {
        if let Some(index) = self.queue.index_of(&tid) {
            self.queue.remove(index);
        }
        if self.current == Some(tid) {
            self.current = None;
        }
    }
    /// The task to run now.
    pub fn pick(&mut self) -> Option<TaskId> {
        self.current = self.queue.front().copied();
        self.current
    }
    /// Puts the running task behind all others.
    pub fn rotate(&mut self) {
        if let Some(tid) = self.queue.pop_front() {
            self.queue.push_back(tid);
        }
    }
    /// How many can run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }
    /// Whether nobody can run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
