//! Pictures and clips in and out: decoding what callers send, encoding what pipelines make.
