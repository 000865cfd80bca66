//! A machine from a description: what its root is made of and what runs first, as data that a recording can carry.
//!
//! Key type: [`Setup`]. Neighbours: the command line writes one from what was typed; [`crate::seam::record`] puts it at the
//! head of a recording, from which [`crate::seam::replay`] builds the same machine again.
//!
//! **Invariant**: everything of the host is named by its share; building asks the seam and nobody else.

use emu_core::engine::Engine;
use serde::{Deserialize, Serialize};

use crate::abi::errno::Errno;
use crate::kernel::Config;
use crate::machine::Machine;
use crate::seam::{Host, HostPath, ShareId};
use crate::task::exec::start::{First, StartError};
use crate::vfs::build;
use crate::vfs::superblock::Mode;

/// A part of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The small root in memory, with the system's mounts.
    DefaultRoot,
    /// /proc, /sys, /dev in whatever root there is.
    System,
    /// A shared directory at a path; the root if nothing is mounted yet.
    Share {
        /// Where.
        at: Vec<u8>,
        /// Which.
        share: ShareId,
        /// How it is seen.
        mode: Mode,
    },
    /// A shared archive at a path; the root if nothing is mounted yet.
    Archive {
        /// Where.
        at: Vec<u8>,
        /// Which.
        share: ShareId,
        /// How it is seen.
        mode: Mode,
    },
    /// A shared file at a path where nothing is.
    File {
        /// Where.
        at: Vec<u8>,
        /// Which.
        share: ShareId,
    },
    /// A shared file at a path, unless something is there already.
    FileIfMissing {
        /// Where.
        at: Vec<u8>,
        /// Which.
        share: ShareId,
    },
}

/// What a machine is built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Its configuration.
    pub config: Config,
    /// Its tree, in this order.
    pub steps: Vec<Step>,
    /// Where the first program may be; the first that is there runs.
    pub candidates: Vec<Vec<u8>>,
    /// Its arguments.
    pub argv: Vec<Vec<u8>>,
    /// Its environment.
    pub envp: Vec<Vec<u8>>,
    /// Its working directory.
    pub cwd: Vec<u8>,
}

/// Why a machine could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A part of the tree, by its place in [`Setup::steps`].
    #[error("cannot make part {0} of the tree: {1}")]
    Step(usize, Errno),
    /// The first program.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Setup {
    /// Builds the machine and starts its first program.
    ///
    /// # Errors
    /// What cannot be made, or why no program runs.
    pub fn build(&self, host: &mut dyn Host, engine: Box<dyn Engine>) -> Result<Machine, SetupError> {
        self.build_and_tell(host, engine).map(|(machine, _)| machine)
    }

    /// As [`Setup::build`]; tells which of [`Setup::candidates`] was started.
    ///
    /// # Errors
    /// As [`Setup::build`].
    pub fn build_and_tell(
        &self,
        host: &mut dyn Host,
        engine: Box<dyn Engine>,
    ) -> Result<(Machine, usize), SetupError> {
        let mut machine = Machine::new(self.config.clone(), engine);
        for (index, step) in self.steps.iter().enumerate() {
            make(&mut machine, host, step).map_err(|errno| SetupError::Step(index, errno))?;
        }
        let mut missing = StartError::Setup(Errno::ENOENT);
        for (index, program) in self.candidates.iter().enumerate() {
            let first = First { program, argv: &self.argv, envp: &self.envp, cwd: &self.cwd };
            match machine.start(host, &first) {
                Ok(_) => return Ok((machine, index)),
                Err(error @ StartError::NotFound(_)) => missing = error,
                Err(error) => return Err(error.into()),
            }
        }
        Err(missing.into())
    }
}

fn make(machine: &mut Machine, host: &mut dyn Host, step: &Step) -> Result<(), Errno> {
    let k = &mut machine.kernel;
    let whole = |share: ShareId| HostPath { share, path: Vec::new() };
    match step {
        Step::DefaultRoot => build::default_root(k, host),
        Step::System => build::mount_system(k, host),
        Step::Share { at, share, mode } => build::mount_share(k, host, at, *share, *mode),
        Step::Archive { at, share, mode } => build::mount_tar(k, host, at, &whole(*share), *mode),
        Step::File { at, share } => build::add_host_file(k, host, at, whole(*share)),
        Step::FileIfMissing { at, share } => match build::add_host_file(k, host, at, whole(*share)) {
            Err(Errno::EEXIST) => Ok(()),
            other => other,
        },
    }
}
