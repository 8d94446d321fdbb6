//! The `heraut` binary: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    heraut::cli::main()
}
