//! Programs nobody here wrote, run natively and under emu: the outputs must be the same to the byte.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "tests are named by what they show, and work on the host"
)]

use std::path::Path;
use std::process::Command;

use emu_tests::{compare, compare_cases, fixtures, native, program, skip};

#[test]
fn busybox_applets_give_what_they_give_natively() {
    let Some(busybox) = program("busybox", &["/bin/busybox", "/usr/bin/busybox"], "busybox-static") else {
        return;
    };
    if native() {
        compare_cases(&busybox, &["sh"], "busybox.txt", fixtures);
    }
}

/// busybox in the working directory, so that shells without applets of their own have tools.
fn with_tools(dir: &Path) {
    fixtures(dir);
    std::fs::copy("/bin/busybox", dir.join("busybox")).expect("busybox can be copied");
}

#[test]
fn bash_scripts_give_what_they_give_natively() {
    let Some(bash) = program("bash", &["/bin/bash-static", "/usr/bin/bash-static"], "bash-static") else {
        return;
    };
    if program("bash", &["/bin/busybox"], "busybox-static").is_some() && native() {
        compare_cases(&bash, &["--norc"], "bash.txt", with_tools);
    }
}

#[test]
fn zsh_scripts_give_what_they_give_natively() {
    let Some(zsh) = program("zsh", &["/bin/zsh-static", "/usr/bin/zsh-static"], "zsh-static") else { return };
    if native() {
        compare_cases(&zsh, &["-f"], "zsh.txt", fixtures);
    }
}

#[test]
fn small_shells_give_what_they_give_natively() {
    let command = "echo one; x=2; echo $x; (echo sub); echo a | while read l; do echo [$l]; done; exit 3";
    for (path, package) in [("/bin/mksh-static", "mksh"), ("/bin/sash", "sash")] {
        let Some(shell) = program("small shells", &[path, &path.replace("/bin", "/usr/bin")], package) else {
            return;
        };
        let command = if package == "sash" { "-echo one" } else { command };
        if native() {
            compare(&shell, &["-c", command], b"", fixtures)
                .unwrap_or_else(|difference| panic!("{package}: {difference}"));
        }
    }
}

/// Compiles a source with a compiler and compares the program; skipped without the compiler.
fn compare_compiled(compiler: &str, package: &str, args: &[&str], name: &str, source: &str) {
    if !native() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let file = dir.path().join(name);
    std::fs::write(&file, source).expect("a source can be written");
    let program = dir.path().join("program");
    let built = Command::new(compiler)
        .args(args)
        .arg("-o")
        .arg(&program)
        .arg(&file)
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", dir.path().join("cache"))
        .env("GO111MODULE", "off")
        .output();
    match built {
        Err(_) => return skip(name, package),
        Ok(output) => {
            assert!(output.status.success(), "{compiler}: {}", String::from_utf8_lossy(&output.stderr))
        }
    }
    compare(&program, &["argument"], b"input\n", |_| ())
        .unwrap_or_else(|difference| panic!("{name}: {difference}"));
}

#[test]
fn a_c_program_with_glibc_runs() {
    compare_compiled("cc", "gcc", &["-static", "-O2"], "hello.c", HELLO_C);
}

#[test]
fn a_static_pie_runs() {
    compare_compiled("cc", "gcc", &["-static-pie", "-O2"], "pie.c", HELLO_C);
}

#[test]
fn a_c_program_with_musl_runs() {
    compare_compiled("musl-gcc", "musl-tools", &["-static", "-O2"], "musl.c", HELLO_C);
}

#[test]
fn a_cpp_program_with_exceptions_runs() {
    compare_compiled("c++", "g++", &["-static", "-O2"], "hello.cpp", HELLO_CPP);
}

#[test]
fn a_rust_program_with_threads_runs() {
    compare_compiled("rustc", "rustc", &["-Ctarget-feature=+crt-static", "-O"], "hello.rs", HELLO_RS);
}

#[test]
fn a_go_program_with_goroutines_runs() {
    compare_compiled("go", "golang-go", &["build"], "hello.go", HELLO_GO);
}

const HELLO_C: &str = r#"
#include <math.h>
#include <stdio.h>
int main(int argc, char **argv) {
    char line[64];
    volatile double x = 2;
    volatile long double y = 3;
    if (!fgets(line, sizeof line, stdin)) return 1;
    printf("hello %d %s %s", argc, argv[1], line);
    printf("%.17g %.20Lg %a\n", x / 3, y / 7, x / 3);
    return 7;
}
"#;

const HELLO_CPP: &str = r#"
#include <algorithm>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>
struct Loud { ~Loud() { std::cout << "unwound\n"; } };
int main() {
    std::map<std::string, int> count;
    for (std::string word; std::cin >> word;) count[word]++;
    std::vector<int> v{3, 1, 2};
    std::sort(v.begin(), v.end());
    try {
        Loud loud;
        throw std::runtime_error("thrown");
    } catch (const std::exception &e) {
        std::cout << e.what() << ' ' << v[0] << v[2] << ' ' << count.size() << ' ' << 1.5 << std::endl;
    }
}
"#;

const HELLO_RS: &str = r#"
use std::sync::mpsc;
fn main() {
    let (send, receive) = mpsc::channel();
    let threads: Vec<_> = (0..8u64)
        .map(|n| {
            let send = send.clone();
            std::thread::spawn(move || send.send((0..1000 * n).sum::<u64>()).unwrap())
        })
        .collect();
    drop(send);
    for thread in threads {
        thread.join().unwrap();
    }
    println!("hello {} {:?}", receive.iter().sum::<u64>(), std::env::args().nth(1));
    std::panic::set_hook(Box::new(|_| eprintln!("a panic is caught")));
    let caught = std::panic::catch_unwind(|| panic!("on purpose"));
    std::process::exit(if caught.is_err() { 5 } else { 0 });
}
"#;

const HELLO_GO: &str = r#"
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
)

func main() {
	var wg sync.WaitGroup
	results := make(chan int, 100)
	for i := 0; i < 100; i++ {
		wg.Add(1)
		go func(n int) { defer wg.Done(); results <- n * n }(i)
	}
	wg.Wait()
	close(results)
	var all []int
	for r := range results {
		all = append(all, r)
	}
	sort.Ints(all)
	fmt.Println("hello", len(all), all[99], strings.Repeat("go", 3), os.Args[1])
	os.Exit(4)
}
"#;
