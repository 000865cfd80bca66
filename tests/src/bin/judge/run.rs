//! The command line, the workers and the report of the judge.
#![expect(clippy::print_stdout, reason = "the report goes to standard output")]

use emu_core::engine::Engine;
use emu_tests::judge::generate::Generator;
use emu_tests::judge::host::Host;
use emu_tests::judge::judged;
use emu_tests::judge::machine::Machine;
use emu_tests::judge::{Mismatch, keep, line, shrink};
use iced_x86::Code;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

struct Options {
    seed: u64,
    count: u64,
    threads: u64,
    only: Option<String>,
    engine: String,
    keep: usize,
    all: bool,
    lines: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seed: 1,
        count: 100_000,
        threads: 1,
        only: None,
        engine: "interp".to_owned(),
        keep: 3,
        all: false,
        lines: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--lines" {
            options.lines = true;
            continue;
        }
        if name == "--strict" {
            emu_tests::judge::compare::STRICT.store(true, std::sync::atomic::Ordering::Relaxed);
            continue;
        }
        if name == "--all" {
            options.all = true;
            continue;
        }
        let value = arguments.next().ok_or(format!("{name} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
        match name.as_str() {
            "--seed" => options.seed = number()?,
            "--count" => options.count = number()?,
            "--threads" => options.threads = number()?.clamp(1, 16),
            "--only" => options.only = Some(value.to_lowercase()),
            "--engine" => options.engine = value,
            "--keep" => options.keep = usize::try_from(number()?).unwrap_or(usize::MAX),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

fn engine(name: &str) -> Option<Box<dyn Engine>> {
    emu_tests::judge::machine::engine(name)
}

#[derive(Default)]
struct Tally {
    cases: u64,
    forms: BTreeMap<String, u64>,
    faults: u64,
    bad: BTreeMap<String, u64>,
    unsteady: BTreeMap<String, u64>,
    kept: Vec<(String, Mismatch)>,
}

fn work(options: &Options, codes: &[Code], index: u64) -> Result<Tally, String> {
    let mut host = Host::new(index).map_err(|error| format!("cannot prepare the processor: {error}"))?;
    let engine = engine(&options.engine).ok_or(format!("no engine {}", options.engine))?;
    let mut machine = Machine::new(engine, index).map_err(|error| error.to_string())?;
    let mut generator = Generator::new(options.seed, index);
    generator.mix(codes);
    let mut tally = Tally::default();
    let mut seen = BTreeMap::<(String, Vec<String>), usize>::new();
    while tally.cases < options.count / options.threads {
        let code = generator.random.pick(codes);
        tally.cases += 1;
        let Some(case) = generator.case(code) else { continue };
        let name = format!("{code:?}");
        if std::env::var_os("JUDGE_TRACE").is_some() {
            eprintln!("{name} {:x?} rip={:x}", case.bytes, case.before.rip);
        }
        *tally.forms.entry(name.clone()).or_default() += 1;
        let Some(found) = shrink::judge(&mut host, &mut machine, &case) else {
            continue;
        };
        if shrink::is_unsteady(&mut host, &found) {
            *tally.unsteady.entry(name).or_default() += 1;
            continue;
        }
        *tally.bad.entry(name.clone()).or_default() += 1;
        let kept = seen.entry((name.clone(), found.parts.clone())).or_default();
        *kept += 1;
        if *kept <= options.keep {
            tally.kept.push((name, shrink::shrink(&mut host, &mut machine, found)));
        }
    }
    Ok(tally)
}

/// Prints one kept line a form.
fn lines(options: &Options, codes: &[Code]) -> ExitCode {
    let mut host = match Host::new(0) {
        Ok(host) => host,
        Err(error) => {
            eprintln!("judge: cannot prepare the processor: {error}");
            return ExitCode::from(2);
        }
    };
    let mut generator = Generator::new(options.seed, 0);
    println!("# What a processor makes of one instruction of each form: `judge --lines`, an AMD Zen 4.");
    for code in codes {
        if let Some(line) = keep::kept(&mut generator, &mut host, *code) {
            println!("{line}");
        }
    }
    ExitCode::SUCCESS
}

pub(crate) fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("judge: {error}");
            return ExitCode::from(2);
        }
    };
    let amd = std::arch::x86_64::__cpuid(0).ebx == u32::from_le_bytes(*b"Auth");
    emu_tests::judge::compare::FOREIGN.store(!amd, std::sync::atomic::Ordering::Relaxed);
    let codes: Vec<Code> = Code::values()
        .filter(|code| judged(*code))
        .filter(|code| options.all || emu_tests::judge::machine::implemented(*code))
        .filter(|code| {
            options.only.as_ref().is_none_or(|only| format!("{code:?}").to_lowercase().contains(only))
        })
        .collect();
    if codes.is_empty() {
        eprintln!("judge: no form of instruction is chosen");
        return ExitCode::from(2);
    }
    if options.lines {
        return lines(&options, &codes);
    }
    let results: Vec<Result<Tally, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads)
            .map(|index| {
                let (options, codes) = (&options, &codes);
                scope.spawn(move || work(options, codes, index))
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".to_owned())))
            .collect()
    });
    let mut total = Tally::default();
    for result in results {
        match result {
            Ok(tally) => {
                total.cases += tally.cases;
                total.faults += tally.faults;
                for (name, count) in tally.forms {
                    *total.forms.entry(name).or_default() += count;
                }
                for (name, count) in tally.bad {
                    *total.bad.entry(name).or_default() += count;
                }
                for (name, count) in tally.unsteady {
                    *total.unsteady.entry(name).or_default() += count;
                }
                total.kept.extend(tally.kept);
            }
            Err(error) => {
                eprintln!("judge: {error}");
                return ExitCode::from(2);
            }
        }
    }
    total.kept.sort_by(|a, b| (&a.0, &a.1.parts).cmp(&(&b.0, &b.1.parts)));
    let mut shown = BTreeSet::new();
    for (name, mismatch) in &total.kept {
        if shown.insert((name, &mismatch.parts)) || options.keep > 1 {
            println!("{name} {:?}", mismatch.parts);
            println!("  {}", line::write(&mismatch.case, &mismatch.host));
            println!("  ours: {}", line::write(&mismatch.case, &mismatch.ours));
        }
    }
    for code in &codes {
        if !total.forms.contains_key(&format!("{code:?}")) && total.cases > 100 * codes.len() as u64 {
            println!("{code:?}: no bytes found");
        }
    }
    let bad: u64 = total.bad.values().sum();
    for (name, count) in &total.bad {
        println!("{name}: {count} of {}", total.forms[name]);
    }
    for (name, count) in &total.unsteady {
        println!("{name}: {count} of {}, where the processor asked again says the same", total.forms[name]);
    }
    println!(
        "{} cases, {} of {} forms, {bad} mismatches in {} forms",
        total.cases,
        total.forms.len(),
        codes.len(),
        total.bad.len()
    );
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
