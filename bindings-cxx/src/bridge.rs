//! The bridge: the classes of `must.hpp` as types of cxx, and what the rest of the crate asks of them.
//!
//! Handles of `must.h` cross as pointers to a type that neither side has a definition of; nobody follows them.

#[cxx::bridge(namespace = "must")]
pub(crate) mod ffi {
    unsafe extern "C++" {
        include!("must_cxx.hpp");

        /// C++'s `must::Platform`: an owner of a platform. In a bridge: `type Platform = must_cxx::Platform;`, in the namespace
        /// `must`.
        type Platform;

        /// C++'s `must::Task`: names a task of a [`Platform`], and keeps neither. Its calls throw `invalid_state` when that
        /// object is gone. In a bridge: `type Task = must_cxx::Task;`, in the namespace `must`.
        type Task;

        #[namespace = ""]
        #[cxx_name = "must_platform_t"]
        type Handle;

        /// Stable id, by which Rust finds the task on its own platform.
        fn id(self: &Task) -> &CxxString;

        #[namespace = "must::detail"]
        unsafe fn adopted(handle: *mut Handle) -> Result<UniquePtr<Platform>>;
        #[namespace = "must::detail"]
        fn handle_of(platform: &Platform) -> *mut Handle;
        #[namespace = "must::detail"]
        fn task_of(platform: &Platform, id: &str) -> Result<UniquePtr<Task>>;
    }

    // So that a bridge may pass these too.
    impl SharedPtr<Platform> {}
    impl SharedPtr<Task> {}
}
