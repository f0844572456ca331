//! Passes one option to the linker of the deployed Worker.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // `strip = "symbols"` also removes the section that tells wasm-bindgen which features of WebAssembly it may use.
    // Without that section, every value of JavaScript would go through a table in JavaScript.
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=--keep-section=target_features");
    }
}
