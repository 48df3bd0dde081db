//! The bridge: the classes of `must.hpp` as types of cxx, and the functions on them that the rest of the crate calls.
//!
//! Handles of `must.h` are passed as pointers to an undefined type; neither side dereferences them.

#[cxx::bridge(namespace = "must")]
pub(crate) mod ffi {
    unsafe extern "C++" {
        include!("must_cxx.hpp");

        /// C++'s `must::Platform`, which owns a platform. In a bridge: `type Platform = must_cxx::Platform;`, in the namespace
        /// `must`.
        type Platform;

        /// C++'s `must::Task`, which refers to a task of a [`Platform`] and owns neither the task nor the platform. Its calls throw
        /// `invalid_state` when the platform object was dropped. In a bridge: `type Task = must_cxx::Task;`, in the namespace `must`.
        type Task;

        #[namespace = ""]
        #[cxx_name = "must_platform_t"]
        type Handle;

        /// Stable id, with which Rust finds the task.
        fn id(self: &Task) -> &CxxString;

        #[namespace = "must::detail"]
        unsafe fn adopted(handle: *mut Handle) -> Result<UniquePtr<Platform>>;
        #[namespace = "must::detail"]
        fn handle_of(platform: &Platform) -> *mut Handle;
        #[namespace = "must::detail"]
        fn task_of(platform: &Platform, id: &str) -> Result<UniquePtr<Task>>;
    }

    // Lets bridges pass these smart pointers too.
    impl SharedPtr<Platform> {}
    impl SharedPtr<Task> {}
}
