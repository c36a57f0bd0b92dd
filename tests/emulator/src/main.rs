//! The emulator as a tool: Azure App Configuration, Key Vault and Entra ID on ports of loopback.

mod tool;

use std::process::ExitCode;

use tool::{Command, HELP};

#[tokio::main]
async fn main() -> ExitCode {
    match tool::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Command::Version) => {
            println!("config-azure-emulator {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Command::Run(options)) => match tool::run(&options).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("config-azure-emulator: {error}");
                ExitCode::FAILURE
            }
        },
        Err(complaint) => {
            eprintln!("config-azure-emulator: {complaint}\nTry 'config-azure-emulator --help'.");
            ExitCode::from(2)
        }
    }
}
