//! Runner of external programs, which installs or builds them if necessary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::timeout;

/// Timeout of a program, including its installation or build.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The folder of this crate.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// An empty folder for the output of a test.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Fails if the folder does not exist yet.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs a program successfully and returns its output.
pub(crate) async fn run(mut command: Command) -> String {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        // Settings of the environment must not change the result.
        if name.starts_with("ANTIPHON_") {
            command.env_remove(&*name);
        }
    }
    // A proxy must not be used for loopback addresses.
    command
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1");
    let shown = format!("{command:?}");
    let mut command = tokio::process::Command::from(command);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(TIMEOUT, output).await;
    let output: Output = output
        .unwrap_or_else(|_| panic!("no end of {shown}"))
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{shown}\n{out}{err}");
    out
}

/// The target folder of the build.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// A cargo command with the same target folder.
pub(crate) fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg(command).arg("--target-dir").arg(target());
    cargo
}

/// Builds the command-line tool from the current sources.
async fn tool() -> &'static Path {
    static TOOL: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        let mut command = cargo("build");
        command.args(["--locked", "--package", "antiphon-cli", "--manifest-path"]);
        command.arg(folder().join("../../Cargo.toml"));
        run(command).await;
        target().join("debug/antiphon")
    };
    TOOL.get_or_init(build).await
}

/// Generates a client from a file or from the address of a server.
pub(crate) async fn client(source: &str, lang: &str) -> String {
    client_of(source, lang, &[]).await
}

/// Generates a client with further options.
pub(crate) async fn client_of(source: &str, lang: &str, options: &[&str]) -> String {
    let mut command = Command::new(tool().await);
    command
        .args(["codegen", source, "--lang", lang])
        .args(options);
    run(command).await
}

/// The TypeScript compiler in the version of the lock file.
pub(crate) async fn tsc() -> Command {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let install = || async {
        let modified = |name: &str| folder().join(name).metadata()?.modified();
        let fresh = match (
            modified("node_modules/.package-lock.json"),
            modified("package-lock.json"),
        ) {
            (Ok(there), Ok(wanted)) => there >= wanted,
            _ => false,
        };
        if !fresh {
            let mut npm = Command::new("npm");
            npm.args(["ci", "--ignore-scripts", "--no-progress"]);
            npm.current_dir(folder());
            run(npm).await;
        }
    };
    INSTALLED.get_or_init(install).await;
    let mut node = Command::new("node");
    node.arg(folder().join("node_modules/typescript/bin/tsc"));
    node
}

/// The Python type checker in a virtual environment.
pub(crate) async fn mypy() -> Command {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    let install = || async {
        let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
        let (wanted, there) = (
            folder().join("requirements.txt"),
            environment.join("requirements"),
        );
        let (wanted, mypy) = (std::fs::read(wanted).unwrap(), environment.join("bin/mypy"));
        if std::fs::read(&there).is_ok_and(|there| there == wanted) {
            return mypy;
        }
        if !environment.join("bin/pip").exists() {
            let mut python = Command::new("python3");
            python.args(["-m", "venv"]).arg(&environment);
            run(python).await;
        }
        let mut pip = Command::new(environment.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--only-binary", ":all:", "--requirement"]);
        pip.arg(folder().join("requirements.txt"));
        run(pip).await;
        std::fs::write(there, wanted).unwrap();
        mypy
    };
    let mut mypy = Command::new(INSTALLED.get_or_init(install).await);
    mypy.args(["--strict", "--python-version", "3.9"]);
    mypy
}
