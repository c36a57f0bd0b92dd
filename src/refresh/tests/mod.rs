//! The machine against a simulated store and simulated vaults, in virtual time, under one observer. `told` alone takes
//! the whole line.

mod backend;
mod budgets;
mod callers;
mod faults;
mod model;
mod observer;
mod recovery;
mod scenarios;
mod services;
mod table;
mod told;
mod traces;
mod world;
