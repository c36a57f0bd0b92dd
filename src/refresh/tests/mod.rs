//! The machine against a simulated store and simulated vaults, in virtual time, under one observer. `told` alone takes
//! the whole line.

mod backend;
mod bench;
mod budgets;
mod callers;
mod faults;
mod model;
mod observer;
mod owed;
mod recovery;
mod scenarios;
mod services;
mod soak;
mod table;
mod told;
mod traces;
mod world;
