//! The fuzzers' corpus, and mutations of it, by a seed that a failure prints.

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use targets::TARGETS;

/// Mutations of each target's corpus.
const MUTATIONS: u64 = 2_000;

/// What mutations put in, beside single bytes.
const TOKENS: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\n",
    b"\x1e",
    b"null",
    b"NaN",
    b"-0",
    b"1e400",
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
    b"\"type\":\"Feature\"",
    b"\"features\":[",
    b"s3://",
    b"- ",
    b"&a ",
    b"*a",
    b"jobName",
];

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut found: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a file that can be read")))
        .collect();
    found.sort();
    found
}

/// A generator of xorshift's kind.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn mutate(&mut self, data: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(data.len() + 1);
        match self.below(6) {
            0 if at < data.len() => data[at] = self.below(256) as u8,
            1 if at < data.len() => drop(data.drain(at..(at + 1 + self.below(8)).min(data.len()))),
            2 => data.truncate(at),
            3 if !other.is_empty() => {
                let from = self.below(other.len());
                data.splice(at..at, other[from..].iter().copied());
            }
            _ => drop(data.splice(at..at, TOKENS[self.below(TOKENS.len())].iter().copied())),
        }
    }
}

#[test]
fn what_must_hold_of_any_bytes_holds_of_the_corpus() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for (path, data) in corpus {
            let held = catch_unwind(AssertUnwindSafe(|| target(&data)));
            assert!(held.is_ok(), "{name} fails on {path}");
        }
    }
}

#[test]
fn what_must_hold_of_any_bytes_holds_of_mutations_of_the_corpus() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        for seed in 1..=MUTATIONS {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut data = corpus[random.below(corpus.len())].1.clone();
            for _ in 0..=random.below(4) {
                let other = &corpus[random.below(corpus.len())].1;
                random.mutate(&mut data, other);
            }
            let held = catch_unwind(AssertUnwindSafe(|| target(&data)));
            assert!(held.is_ok(), "{name} fails on seed {seed}: {:?}", String::from_utf8_lossy(&data));
        }
    }
}
