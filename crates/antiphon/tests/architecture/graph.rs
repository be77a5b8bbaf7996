//! Which crates are built.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use serde_json::Value;

use crate::root;

/// Asks Cargo, which needs nothing from outside: all that is asked for has just been built.
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

/// The crates that a crate of ours is built with, by name; each with its versions.
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

/// A package as Cargo describes it.
fn package(name: &str) -> Value {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|package| package["name"] == name);
    found.expect("a crate of the workspace").clone()
}

#[test]
fn the_default_graph_is_small_and_has_nothing_twice() {
    let default = graph("antiphon", &[]);
    assert!(default.len() < 90, "{} crates", default.len());
    for options in [&[][..], &["--all-features"]] {
        let graph = graph("antiphon", options);
        let twice: Vec<_> = graph
            .iter()
            .filter(|(_, versions)| versions.len() > 1)
            .collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

#[test]
fn the_protocol_needs_three_crates() {
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

#[test]
fn without_the_feature_http_nothing_of_http_is_built() {
    const HTTP: &[&str] = &[
        "axum",
        "h2",
        "http",
        "http-body",
        "http-body-util",
        "httparse",
        "hyper",
        "hyper-util",
        "tokio-tungstenite",
        "tower-http",
        "tungstenite",
    ];
    let package = package("antiphon");
    let features = package["features"].as_object().unwrap();
    let (mut free, mut bound) = (vec![""], 0);
    for feature in features.keys() {
        if brings_http(features, feature) {
            bound += 1;
        } else {
            free.push(feature);
        }
    }
    assert!(bound > 2, "{features:?}");
    for feature in free {
        let graph = graph(
            "antiphon",
            &["--no-default-features", "--features", feature],
        );
        let found: Vec<_> = HTTP
            .iter()
            .filter(|name| graph.contains_key(**name))
            .collect();
        assert!(found.is_empty(), "feature {feature:?} builds {found:?}");
    }
}

/// Whether a feature is `http`, or turns it on.
fn brings_http(features: &serde_json::Map<String, Value>, feature: &str) -> bool {
    let on = features.get(feature).and_then(Value::as_array);
    feature == "http"
        || on.is_some_and(|on| {
            let mut on = on.iter().filter_map(Value::as_str);
            on.any(|other| other != feature && brings_http(features, other))
        })
}
