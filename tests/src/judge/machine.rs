//! Runs one instruction on the interpreter.

use super::{After, CODE_PAGE, Case, DATA_SIZE, End, Image, READ_ONLY, WRITABLE};
use emu_core::cpu::{Cpu, CpuModel, Vector};
use emu_core::engine::{Engine, Exit};
use emu_core::mem::{Memory, OutOfMemory, PageProt, SpaceId};
use iced_x86::Code;

/// A machine of one address space laid out as [`super`] says.
#[derive(Debug)]
pub struct Machine {
    engine: Box<dyn Engine>,
    memory: Memory,
    space: SpaceId,
    region: u64,
}

/// Iterations of a `rep` instruction after which a run is given up.
const MANY: u64 = 100_000;

impl Machine {
    /// A machine for the region of worker `index`.
    pub fn new(engine: Box<dyn Engine>, index: u64) -> Result<Machine, OutOfMemory> {
        let mut memory = Memory::new(1 << 24);
        let space = memory.create_space();
        let region = super::region_of(index);
        let read = PageProt::READ | PageProt::USER;
        memory.map_zero(space, region + CODE_PAGE, read | PageProt::WRITE | PageProt::EXEC)?;
        memory.map_zero(space, region + READ_ONLY, read)?;
        memory.map_zero(space, region + WRITABLE, read | PageProt::WRITE)?;
        memory.map_zero(space, region + WRITABLE + 4096, read | PageProt::WRITE)?;
        Ok(Machine { engine, memory, space, region })
    }

    /// Runs one case.
    pub fn run(&mut self, case: &Case) -> After {
        let mut code = [0xcc; 4096];
        let at = (case.before.rip & 0xfff) as usize;
        let fits = case.bytes.len().min(4096 - at);
        code[at..at + fits].copy_from_slice(&case.bytes[..fits]);
        let mut image = case.image();
        let written = self
            .memory
            .write_forced(self.space, self.region + CODE_PAGE, &code)
            .and_then(|()| self.memory.write_forced(self.space, self.region + READ_ONLY, &image.0[..]));
        let mut cpu = Cpu { icount: 0, model: CpuModel::V3, ..case.before.clone() };
        if let Err(error) = written {
            return After { cpu, image, end: End::Other(format!("{error:?}")) };
        }
        // The breakpoint behind runs too, so that whole blocks do. Many repetitions go in one piece or in several.
        let piece = if case.before.regs[1] & 1 == 0 { 16 } else { MANY };
        let end = loop {
            let stop_at = cpu.icount + piece;
            match self.engine.run(&mut cpu, &mut self.memory, self.space, stop_at) {
                Exit::Budget if cpu.icount < MANY => {}
                Exit::Budget => break End::Other("it goes on and on".to_owned()),
                Exit::Exception(e) if e.vector == Vector::Breakpoint => {
                    cpu.rip -= 1;
                    break End::Done;
                }
                Exit::Exception(e)
                    if e.vector == Vector::PageFault
                        && e.address == cpu.rip
                        && cpu.rip != case.before.rip =>
                {
                    break End::Done;
                }
                Exit::Exception(e) => {
                    break End::Fault { vector: e.vector as u8, error: e.error_code, address: e.address };
                }
                Exit::Missing(missing) => break End::Other(format!("missing {}", missing.name)),
                other => break End::Other(format!("{other:?}")),
            }
        };
        let mut after = [0; DATA_SIZE];
        if self.memory.read_forced(self.space, self.region + READ_ONLY, &mut after).is_ok() {
            *image.0 = after;
        }
        cpu.icount = 0;
        After { cpu, image: Image(image.0), end }
    }
}

/// An engine by the name that `--engine` takes.
#[must_use]
pub fn engine(name: &str) -> Option<Box<dyn Engine>> {
    match name {
        "interp" => Some(Box::new(emu_core::engine::interp::Interp::new())),
        "portable" => Some(Box::new(emu_core::engine::interp::Interp::portable())),
        "stepper" => Some(Box::new(emu_core::engine::stepper::Stepper::new())),
        _ => None,
    }
}

/// Whether the interpreter says that it implements a form.
#[must_use]
pub fn implemented(code: Code) -> bool {
    emu_core::decode::implemented(code)
}
