//! Checks of the dependency graph.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use serde_json::Value;

use crate::root;

/// Runs Cargo offline. All dependencies are there, because they have just been built.
fn cargo(args: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(args)
        .args(["--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo is there");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The dependencies of a package, by name, with their versions.
fn graph(package: &str, options: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let args = ["tree", "-p", package, "-e", "normal", "--prefix", "none"];
    let mut graph: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in cargo(&[&args, options].concat()).lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            graph.entry(name).or_default().insert(version);
        }
    }
    assert!(graph.contains_key(package), "{graph:?}");
    graph
}

/// The metadata of a package.
fn package(name: &str) -> Value {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|package| package["name"] == name);
    found.expect("a crate of the workspace").clone()
}

/// Crates that come twice in a build with all features, each through a crate that cannot do without an
/// older version: `zeroize_derive`, at build time only, and `aws-lc-rs`; the others are those of `nkeys`, with
/// which async-nats signs. `deny.toml` names them, too.
const TWICE: &[&str] = &[
    "base64",
    "block-buffer",
    "const-oid",
    "cpufeatures",
    "crypto-common",
    "digest",
    "getrandom",
    "rand",
    "rand_core",
    "signature",
    "syn",
    "untrusted",
];

/// Those of them that a build without NATS has as well.
const TWICE_WITHOUT_NATS: &[&str] = &["syn", "untrusted"];

#[test]
fn the_default_graph_is_small_and_has_no_duplicates() {
    let default = graph("antiphon", &[]);
    assert!(default.len() < 115, "{} crates", default.len());
    for (options, known) in [
        (&[][..], &[][..]),
        (&["--features", "full"], TWICE_WITHOUT_NATS),
        (&["--all-features"], TWICE),
    ] {
        let graph = graph("antiphon", options);
        let twice: Vec<_> = graph
            .iter()
            .filter(|(name, versions)| versions.len() > 1 && !known.contains(&name.as_str()))
            .collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

#[test]
fn the_protocol_crate_has_three_dependencies() {
    let package = package("antiphon-proto");
    let dependencies = package["dependencies"].as_array().unwrap();
    let normal = dependencies
        .iter()
        .filter(|dependency| dependency["kind"].is_null());
    let names: BTreeSet<_> = normal
        .map(|dependency| dependency["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, BTreeSet::from(["bytes", "serde", "serde_json"]));
}

/// Crates that open sockets or implement network protocols.
const NETWORK: &[&str] = &[
    "h2",
    "httparse",
    "hyper",
    "hyper-util",
    "mio",
    "rustix",
    "rustls",
    "socket2",
    "tokio-rustls",
    "tungstenite",
];

#[test]
fn without_server_and_client_no_network_crate_is_built() {
    for feature in ["", "macros", "describe", "metrics"] {
        let graph = graph(
            "antiphon",
            &["--no-default-features", "--features", feature],
        );
        let is_built = |name: &&&str| graph.contains_key(**name);
        let found: Vec<_> = NETWORK.iter().filter(is_built).collect();
        assert!(found.is_empty(), "feature {feature:?} builds {found:?}");
    }
    let both = graph("antiphon", &[]);
    for name in ["hyper", "mio", "tungstenite"] {
        assert!(both.contains_key(name), "{name} has another name now");
    }
}

#[test]
fn the_dependency_graph_of_a_server_is_small() {
    let server = graph(
        "antiphon",
        &["--no-default-features", "--features", "server"],
    );
    assert!(server.len() < 60, "{} crates", server.len());
}
