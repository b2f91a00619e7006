//! The tests of the public surface, in one program: what they run is generic, and each program compiles it anew.
//!
//! | module | what it tests |
//! |---|---|
//! | `gradient` | the analytic gradient against finite differences |
//! | `golden` | outputs, gradients and steps against 60 digits |
//! | `network` | random starts, invariances, one step of gradient descent |
//! | `data` | data sets, CSV files, scaling |
//! | `trainer` | a run: its end, passes, sessions, momentum, minibatches, validation, observers, reproducible bits |
//! | `schedules` | step sizes: formulas against other libraries, adaptive schedules, combinators |
//! | `objective` | the loss as a function of flat weights, its derivatives and products with them |
//! | `methods` | Gauss-Newton, and user-defined methods, schedules and observers |
//! | `expansion` | passes by expansion against direct ones, in every schedule and method |
//! | `kernel` | kernels, spectra, and the infinitely wide network |
//! | `certificate` | certificates of convergence, and runs that keep their promises |
//! | `resume` | a run that is stopped and resumed is the same run |
//! | `files` | networks, regressors, matrices, settings and logs in files, whole and damaged |
//! | `ranks` | runs on several ranks |
//! | `bad_input` | bad input is refused, with the value, the place and the remedy |
//! | `faults` | kinds of faults that users of similar software have reported |
//! | `metrics` | metrics of regression |
//! | `regressor` | scaling, network and training in one |
//! | `regressors` | what regressors choose, and every way to fit and predict |
//! | `weights` | sample weights: as many copies of a sample, in every method and schedule |
//! | `surface` | everything public, as another crate would use it |
//! | `architecture` | imports between the rooms of `src` point downward |
//! | `support` | helpers of all modules |
//!
//! `cargo test --test all kernel::` runs the tests of one module. Tests that need a process of their own are the programs
//! beside this folder: `allocations`, `full_disk`, `kill` and `mpi`.

mod architecture;
mod bad_input;
mod certificate;
mod data;
mod expansion;
mod faults;
mod files;
mod golden;
mod gradient;
mod kernel;
mod methods;
mod metrics;
mod network;
mod objective;
mod ranks;
mod regressor;
mod regressors;
mod resume;
mod schedules;
mod support;
mod surface;
mod trainer;
mod weights;
