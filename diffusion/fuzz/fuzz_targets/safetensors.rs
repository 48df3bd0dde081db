#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    must_fuzz::container(data);
});
