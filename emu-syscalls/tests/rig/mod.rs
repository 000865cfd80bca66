//! A machine whose only program makes the system calls it is told to: for the hostile-argument test and for fuzzing.
//!
//! The program is `syscall; jmp .`: [`Rig::call`] puts a number and six arguments into the registers of every task that is
//! in user mode and lets the machine run one instruction, so each call goes through the real gate.
#![allow(missing_docs, dead_code, unreachable_pub, reason = "shared between a test and a fuzz target")]
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used, reason = "test code")]

use emu_core::cpu::reg;
use emu_core::engine::interp::Interp;
use emu_core::mem::Privilege;
use emu_syscalls::arg::ArgKind;
use emu_syscalls::kernel::{Config, Kernel};
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::observe::names::Combine;
use emu_syscalls::seam::scripted::ScriptedHost;
use emu_syscalls::table::Row;
use emu_syscalls::task::exec::start::First;
use emu_syscalls::task::{RunState, TaskId};
use emu_syscalls::vfs::build;

const CODE: u64 = 0x40_0078;
/// Memory that can be read and written; its last page is followed by nothing.
pub const RW: u64 = 0x1000_0000;
pub const RW_LEN: u64 = 0x1_0000;
/// Memory that can only be read.
pub const RO: u64 = 0x1010_0000;
/// Memory that cannot be touched.
pub const NONE: u64 = 0x1020_0000;
/// Guest memory of the machine.
pub const MEMORY: u64 = 64 << 20;

/// splitmix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);
impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
    pub fn pick(&mut self, from: &[u64]) -> u64 {
        from[self.below(from.len() as u64) as usize]
    }
}

/// See the module documentation.
pub struct Rig {
    pub machine: Machine,
    pub host: ScriptedHost,
    base: Kernel,
    base_host: ScriptedHost,
    task: TaskId,
    /// Descriptors of each kind.
    pub fds: Vec<u64>,
    /// Numbers on the edges of types.
    pub numbers: Vec<u64>,
    /// Pointers, good and bad.
    pub pointers: Vec<u64>,
    /// Pointers to strings.
    pub strings: Vec<u64>,
    /// Small numbers: flags, commands, signals.
    pub small: Vec<u64>,
}

fn program() -> Vec<u8> {
    let code = [0x0f, 0x05, 0xeb, 0xfc];
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    elf.extend(CODE.to_le_bytes());
    elf.extend(64u64.to_le_bytes());
    elf.extend(0u64.to_le_bytes());
    elf.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    let len = 0x78 + code.len() as u64;
    for word in [0, 0x40_0000, 0x40_0000, len, len, 0x1000] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.extend(code);
    elf
}

impl Rig {
    pub fn new(seed: u64) -> Rig {
        let mut host = ScriptedHost::new(seed);
        host.keep = 1 << 20;
        let config = Config { memory: MEMORY, ..Config::default() };
        let mut machine = Machine::new(config, Box::new(Interp::new()));
        build::default_root(&mut machine.kernel, &mut host).expect("a root can be made");
        build::add_file(&mut machine.kernel, &mut host, b"/p", 0o755, &program())
            .expect("a file can be made");
        let argv = [b"p".to_vec()];
        let first = First { program: b"/p", argv: &argv, envp: &[], cwd: b"/" };
        let task = machine.start(&mut host, &first).expect("the program starts");
        // The first instruction, a read of no bytes, brings it to user mode.
        machine.run(&mut host, 1);
        let base = machine.snapshot();
        let mut rig = Rig {
            base_host: host.clone(),
            machine,
            host,
            base,
            task,
            fds: Vec::new(),
            numbers: Vec::new(),
            pointers: Vec::new(),
            strings: Vec::new(),
            small: Vec::new(),
        };
        rig.set_up(seed);
        rig.machine.kernel.gaps_new.clear();
        rig.base = rig.machine.snapshot();
        rig.base_host = rig.host.clone();
        rig
    }

    /// A call that must return.
    fn sys(&mut self, nr: u64, args: [u64; 6]) -> i64 {
        self.call(nr, args);
        let task = self.machine.kernel.task(self.task);
        assert!(!task.in_kernel, "call {nr} of the setup blocks");
        task.cpu.regs[reg::RAX].cast_signed()
    }

    fn fd(&mut self, nr: u64, args: [u64; 6]) -> u64 {
        let fd = self.sys(nr, args);
        if fd >= 0 {
            self.fds.push(fd.cast_unsigned());
        }
        fd.cast_unsigned()
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let space = self.machine.kernel.space_of(self.task);
        self.machine.kernel.mem.write(space, at, bytes, Privilege::User).expect("the page is there");
    }

    fn words(&mut self, at: u64, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(at, &bytes);
    }

    fn set_up(&mut self, seed: u64) {
        assert_eq!(self.sys(9, [RW, RW_LEN, 3, 0x8032, u64::MAX, 0]), RW.cast_signed());
        assert_eq!(self.sys(9, [RO, 0x4000, 3, 0x8032, u64::MAX, 0]), RO.cast_signed());
        assert_eq!(self.sys(9, [NONE, 0x4000, 0, 0x32, u64::MAX, 0]), NONE.cast_signed());
        // Every page is touched, with words that are small, so that they pass as counts and descriptors too.
        let mut random = Random(seed);
        for page in 0..RW_LEN / 4096 {
            let words: Vec<u64> = (0..512).map(|_| random.below(64)).collect();
            self.words(RW + page * 4096, &words);
        }
        let words: Vec<u64> = (0..512).map(|_| random.next()).collect();
        self.words(RO, &words);
        let mut at = RW;
        let strings: &[&[u8]] = &[
            b"/tmp/f\0",
            b"/tmp/d\0",
            b"/tmp/new\0",
            b"/tmp/l\0",
            b"f\0",
            b".\0",
            b"..\0",
            b"/\0",
            b"\0",
            b"/proc/self/status\0",
            b"/proc/self/fd/3\0",
            b"/dev/null\0",
            b"/dev/tty\0",
            b"/dev/pts/0\0",
            b"/nothing/x\0",
            b"/tmp/f/x\0",
            b"/p\0",
            b"tmpfs\0",
            b"proc\0",
            b"user.a\0",
            b"security.capability\0",
            b"/tmp/loop\0",
            b"/q\0",
            b"/dev/shm/s\0",
            b"/sys/kernel\0",
            b"/tmp/d/../d/./new2\0",
            b"/proc/self/mem\0",
            b"size=4k,mode=755\0",
        ];
        for text in strings {
            self.put(at, text);
            self.strings.push(at);
            at += 64;
        }
        let long = [vec![b'a'; 4095], vec![0]].concat();
        self.put(RW + 0x8000, &long);
        self.strings.push(RW + 0x8000);
        self.put(RW + 0x9000, &[b'b'; 4096]);
        self.strings.push(RW + 0x9000);
        // A string that runs into the end of its last page.
        self.put(RW + RW_LEN - 16, b"aaaaaaaaaaaaaaaa");
        self.strings.push(RW + RW_LEN - 16);

        // Structures: io vectors, times, addresses, argument lists, messages, signal sets.
        let mut structs = Vec::new();
        let base = RW + 0x2000;
        let buffer = RW + 0x4000;
        let layouts: Vec<Vec<u64>> = vec![
            vec![buffer, 16, buffer + 64, 4096, buffer, 0, NONE, 8],
            vec![buffer, u64::MAX, buffer, 1 << 62],
            vec![0, 0],
            vec![0, 1000],
            vec![0, 1000, 0, 1000],
            vec![u64::MAX, 0],
            vec![0, 1_000_000_000],
            vec![i64::MAX as u64, 999_999_999, i64::MAX as u64, 999_999_999],
            vec![i64::MIN as u64, 0, 1, 1],
            vec![RW, RW + 64, 0],
            vec![u64::MAX; 16],
            vec![0x0005_0003_0000_0000, 0x0000_0000_0100_007f],
            vec![0x0100_007f_1f90_0002, 0],
            vec![0x0000_0000_0000_000a, 0, 0x0100_0000_0000_0000, 0, 0],
            vec![0x7461_2f70_6d74_0001, 0x62],
            vec![0x6162_6300_0001, 0],
            vec![0, 0, base, 2, 0, 0, 0],
            vec![base + 0x500, 16, base, 1, buffer, 64, 0],
            vec![0, 0, base, u64::MAX, buffer, u64::MAX, 0],
            vec![28, 0x1_0000_0001, 3, 0],
            vec![20, 0x1_0000_0001, 0x3_0000_0004, 0],
            vec![0x1_0000_0003, 0, 0x4_0000_0004, 0],
            vec![0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0],
            vec![0x100, 0, 0, 0, 17, RW + 0xa000, 0x1000, 0, 0, 0, 0],
            vec![CODE, 0x0400_0000, 0, 0, 0],
            vec![0x0008_0522_2008_0522, 0, u64::MAX, u64::MAX],
        ];
        for (i, layout) in layouts.iter().enumerate() {
            let at = base + i as u64 * 0x80;
            self.words(at, layout);
            structs.push(at);
        }
        assert_eq!(self.sys(10, [RO, 0x4000, 1, 0, 0, 0]), 0);

        let text = self.strings.clone();
        assert_eq!(self.sys(83, [text[1], 0o777, 0, 0, 0, 0]), 0);
        self.sys(88, [text[21], text[21], 0, 0, 0, 0]);
        self.sys(88, [text[0], text[3], 0, 0, 0, 0]);
        let file = self.fd(2, [text[0], 0o102, 0o644, 0, 0, 0]);
        self.sys(1, [file, buffer, 4096, 0, 0, 0]);
        self.fd(2, [text[0], 0, 0, 0, 0, 0]);
        self.fd(2, [text[0], 0o2001, 0, 0, 0, 0]);
        self.fd(2, [text[0], 0o10000000, 0, 0, 0, 0]);
        self.fd(2, [text[1], 0o200000, 0, 0, 0, 0]);
        self.fd(2, [text[9], 0, 0, 0, 0, 0]);
        self.fd(2, [text[26], 2, 0, 0, 0, 0]);
        self.fd(2, [text[11], 2, 0, 0, 0, 0]);
        self.put(RW + 0x7000, b"/dev/zero\0/dev/full\0/dev/ptmx\0/dev/kmsg\0/tmp/fifo\0/proc/self/maps\0/proc/sys/kernel/hostname\0");
        let mut at = RW + 0x7000;
        for len in [10, 10, 10, 10] {
            self.fd(2, [at, 0o4002, 0, 0, 0, 0]);
            at += len;
        }
        self.sys(133, [at, 0o10644, 0, 0, 0, 0]);
        self.fd(2, [at, 0o4002, 0, 0, 0, 0]);
        self.fd(2, [at + 10, 0, 0, 0, 0, 0]);
        self.fd(2, [at + 26, 2, 0, 0, 0, 0]);
        for flags in [0, 0o4000, 0o40000] {
            self.sys(293, [buffer, flags, 0, 0, 0, 0]);
        }
        self.fd(290, [3, 0o4000, 0, 0, 0, 0]);
        let epoll = self.fd(291, [0, 0, 0, 0, 0, 0]);
        self.sys(233, [epoll, 1, file + 12, structs[0], 0, 0]);
        self.fd(283, [1, 0o4000, 0, 0, 0, 0]);
        self.fd(289, [u64::MAX, structs[10], 8, 0o4000, 0, 0]);
        self.fd(294, [0o4000, 0, 0, 0, 0, 0]);
        self.fd(319, [text[4], 2, 0, 0, 0, 0]);
        self.fd(434, [u64::from(self.task.0), 0, 0, 0, 0, 0]);
        for (family, kind) in
            [(1, 1), (1, 2), (1, 5), (2, 1), (2, 2), (10, 1), (10, 2), (16, 3), (17, 3), (2, 3)]
        {
            self.fd(41, [family, kind | 0o4000, 0, 0, 0, 0]);
        }
        let listener = self.fd(41, [2, 1 | 0o4000, 0, 0, 0, 0]);
        self.sys(49, [listener, structs[12], 16, 0, 0, 0]);
        self.sys(50, [listener, 4, 0, 0, 0, 0]);
        for kind in [1, 2, 5] {
            self.sys(53, [1, kind | 0o4000, 0, buffer, 0, 0]);
        }
        self.fd(240, [text[4], 0o4102, 0o600, 0, 0, 0]);
        self.fds.push(1);
        // What pipes and pairs made has numbers of its own: all up to the highest.
        let highest = self.fds.iter().copied().max().unwrap_or(0);
        self.fds = (0..highest + 3)
            .chain([u64::from(u32::MAX), 0xffff_ff9c, 1023, 0x7fff_ffff, 5 | 1 << 40])
            .collect();

        self.numbers = vec![
            0,
            1,
            u64::MAX,
            2,
            3,
            7,
            8,
            16,
            63,
            64,
            127,
            128,
            255,
            4095,
            4096,
            4097,
            0xffff,
            0x1_0000,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x1_0000_0000,
            1 << 46,
            1 << 47,
            (1 << 47) - 4096,
            1 << 62,
            i64::MAX as u64,
            i64::MIN as u64,
            (i64::MIN + 1) as u64,
            (-2i64) as u64,
            (-4096i64) as u64,
            (-100i64) as u64,
        ];
        self.pointers = vec![
            0,
            1,
            8,
            RW,
            RW + 1,
            RW + 0x4000,
            RW + 0xa000,
            RW + RW_LEN - 1,
            RW + RW_LEN - 8,
            RW + RW_LEN - 4096,
            RW + RW_LEN,
            RO,
            RO + 4,
            RO + 0x3fff,
            NONE,
            CODE,
            0x7fff_ffff_f000,
            0x7fff_ffff_efff,
            0x8000_0000_0000,
            0xffff_8000_0000_0000,
            0xffff_c900_0000_0000,
            0xffff_ffff_8100_0000,
            0xffff_ffff_ff60_0000,
            0xdead_0000_0000_0000,
            u64::MAX - 7,
            0x1000,
        ];
        self.pointers.extend(structs);
        self.small = (0..70).collect();
        self.small.extend((6..32).map(|bit| 1 << bit));
        self.small.extend([
            0o102, 0o2000, 0o1102, 0x8001, 0x12, 0x22, 0x32, 0x1000022, 0x5401, 0x5413, 0x5421, 0x541b,
            0x8912, 0x8927, 1031, 1032, 1033, 1034, 1024, 1036, 36, 37, 38,
        ]);
    }

    /// Goes back to the state after the setup.
    pub fn restore(&mut self) {
        self.machine.restore(&self.base);
        self.host = self.base_host.clone();
    }

    /// Whether the first task still waits for orders.
    pub fn usable(&self) -> bool {
        let k = &self.machine.kernel;
        k.tasks.get(self.task).is_some_and(|task| task.state == RunState::Runnable && !task.in_kernel)
    }

    /// What the last call gave, if the first task came back from it.
    pub fn result(&self) -> Option<i64> {
        let task = self.machine.kernel.tasks.get(self.task)?;
        (!task.in_kernel && task.cpu.rip == CODE + 2).then(|| task.cpu.regs[reg::RAX].cast_signed())
    }

    /// Some task makes this call; the others run what they were at.
    pub fn call(&mut self, nr: u64, args: [u64; 6]) {
        let k = &mut self.machine.kernel;
        let ids: Vec<TaskId> = k.tasks.ids().collect();
        for id in ids {
            let Some(task) = k.tasks.get_mut(id) else { continue };
            if task.in_kernel {
                continue;
            }
            task.cpu.rip = CODE;
            let [a, b, c, d, e, f] = args;
            for (register, value) in [
                (reg::RAX, nr),
                (reg::RDI, a),
                (reg::RSI, b),
                (reg::RDX, c),
                (reg::R10, d),
                (reg::R8, e),
                (reg::R9, f),
                (reg::RSP, RW + 0xc000),
            ] {
                task.cpu.regs[register] = value;
            }
        }
        let until = k.retired + 1;
        for _ in 0..8 {
            match self.machine.run(&mut self.host, until) {
                Stopped::Report => {
                    self.machine.kernel.gaps_new.clear();
                    self.machine.kernel.observer.events.clear();
                }
                _ => break,
            }
        }
    }

    /// An argument that the kind allows, mostly; anything at times.
    pub fn argument(&self, kind: ArgKind, random: &mut Random) -> u64 {
        if random.below(16) == 0 {
            return match random.below(4) {
                0 => random.next(),
                1 => random.pick(&self.numbers),
                2 => random.pick(&self.pointers),
                _ => random.pick(&self.fds),
            };
        }
        match kind {
            ArgKind::Fd => random.pick(&self.fds),
            ArgKind::DirFd => match random.below(2) {
                0 => (-100i64).cast_unsigned(),
                _ => random.pick(&self.fds),
            },
            ArgKind::Path | ArgKind::Str => random.pick(&self.strings),
            ArgKind::Pid => [0, 1, u64::MAX, random.below(8), random.next()][random.below(5) as usize],
            ArgKind::Len => match random.below(3) {
                0 => random.below(256),
                1 => random.below(32) * 4096,
                _ => random.pick(&self.numbers),
            },
            ArgKind::Addr | ArgKind::OutBuf(_) | ArgKind::InBuf(_) | ArgKind::Mem(..) => {
                match random.below(8) {
                    0 => random.pick(&self.strings),
                    _ => random.pick(&self.pointers),
                }
            }
            // What the row knows by name, most of the time: one value, or two bits together.
            ArgKind::Named(names) | ArgKind::NamedLong(names)
                if !names.list.is_empty() && random.below(8) != 0 =>
            {
                let mut known = || {
                    let at = random.below(names.list.len() as u64);
                    usize::try_from(at).ok().and_then(|at| names.list.get(at)).map_or(0, |(value, _)| *value)
                };
                match names.combine {
                    Combine::Bits => known() | known(),
                    _ => known(),
                }
            }
            ArgKind::I32
            | ArgKind::U32
            | ArgKind::I64
            | ArgKind::U64
            | ArgKind::Named(_)
            | ArgKind::NamedLong(_)
            | ArgKind::Hex32
            | ArgKind::Hex
            | ArgKind::Perm
            | ArgKind::Mode
            | ArgKind::Dev
            | ArgKind::Id
            | ArgKind::Signal
            | ArgKind::By(_)
            | ArgKind::Silent => match random.below(6) {
                0 => random.pick(&self.numbers),
                1 => random.pick(&self.pointers),
                2 => random.pick(&self.small) | random.pick(&self.small),
                3 => random.pick(&self.fds),
                _ => random.pick(&self.small),
            },
        }
    }

    /// Six arguments for a row.
    pub fn arguments(&self, row: &Row, random: &mut Random) -> [u64; 6] {
        let mut args = [0; 6];
        for (slot, arg) in args.iter_mut().zip(row.args) {
            *slot = self.argument(arg.kind, random);
        }
        args
    }
}
