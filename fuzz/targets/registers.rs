#![cfg_attr(fuzzing, no_main)]
#![allow(missing_docs)]

heraut_fuzz::target!("registers");
