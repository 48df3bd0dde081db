//! The table of live handles.
//!
//! A handle is a number in the shape of a pointer: 8 fixed bits that make it an address no machine maps, 32 bits of
//! generation, 24 bits of index. A lookup checks all three and the object's type, so a handle that was freed, is of another
//! kind or was never issued gives `invalid_state`. The objects are shared: a running call keeps its object alive while another
//! thread frees the handle. Any thread may call these functions; nothing is dropped while the lock is held.
//!
//! A child made by `fork` gets an empty table of its own, so it never uses or locks what its parent had open.

use crate::types::{
    must_answer_t, must_buffer_t, must_clock_t, must_error_t, must_events_t, must_host_t, must_page_t, must_platform_t,
    must_server_t, must_task_t,
};
use must::{Error, Result};
use parking_lot::RwLock;
use std::any::Any;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

const INDEX_BITS: u32 = 24;
const GENERATION_BITS: u32 = 32;
const MARK: usize = 0xA5 << (INDEX_BITS + GENERATION_BITS);
const _: () = assert!(usize::BITS == 64, "handles need 64-bit pointers");

/// A type whose objects handles can name.
pub(crate) trait Object: Send + Sync + Sized + 'static {
    /// The type of its handles in C.
    type Handle;
    /// What error messages call it.
    const NAME: &'static str;
}

macro_rules! objects {
    ($($object:ty => $handle:ident, $name:literal;)+) => {
        $(impl Object for $object {
            type Handle = $handle;
            const NAME: &'static str = $name;
        })+
    };
}

objects! {
    crate::platform::OpenPlatform => must_platform_t, "platform";
    crate::task::Snapshot => must_task_t, "task";
    crate::listing::Page => must_page_t, "page";
    crate::events::Events => must_events_t, "events";
    crate::buffer::Buffer => must_buffer_t, "buffer";
    crate::http::HttpServer => must_server_t, "server";
    crate::http::HttpAnswer => must_answer_t, "answer";
    crate::host::Host => must_host_t, "host";
    crate::host::HostClock => must_clock_t, "clock";
    crate::error::Failure => must_error_t, "error";
}

type Shared = Arc<dyn Any + Send + Sync>;

struct Slot {
    generation: u32,
    object: Option<Shared>,
}

#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

struct Table {
    process: u32,
    /// The table of the process that this one was forked from. It is never freed and never read.
    parent: Option<&'static Table>,
    slots: RwLock<Slots>,
}

/// The table of this process.
fn table() -> &'static Table {
    static CURRENT: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());
    let process = std::process::id();
    let current = CURRENT.load(Ordering::Acquire);
    // SAFETY: null, or a table that was published below and is never freed.
    let parent = match unsafe { current.as_ref() } {
        Some(table) if table.process == process => return table,
        other => other,
    };
    let fresh = Box::into_raw(Box::new(Table { process, parent, slots: RwLock::default() }));
    match CURRENT.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: just made, and from now on never freed.
        Ok(_) => unsafe { &*fresh },
        Err(other) => {
            // SAFETY: `fresh` was not published, so this is its only owner; `other` was, by a thread of this process.
            unsafe {
                drop(Box::from_raw(fresh));
                &*other
            }
        }
    }
}

fn encode(index: usize, generation: u32) -> usize {
    MARK | (generation as usize) << INDEX_BITS | index
}

/// Index and generation of a handle, if it has the shape of one.
fn decode(handle: usize) -> Option<(usize, u32)> {
    let generation = u32::try_from((handle ^ MARK) >> INDEX_BITS).ok()?;
    Some((handle & ((1 << INDEX_BITS) - 1), generation))
}

/// Adds an object to the table and returns its handle.
pub(crate) fn insert<T: Object>(object: T) -> Result<*mut T::Handle> {
    let table = table();
    let mut guard = table.slots.write();
    let Slots { slots, free } = &mut *guard;
    let index = match free.pop() {
        Some(index) => index,
        None if slots.len() >> INDEX_BITS == 0 => {
            // Handles of a parent process must not name anything in a forked child.
            slots.push(Slot { generation: table.process.wrapping_mul(0x9E37_79B1) >> 1, object: None });
            slots.len() - 1
        }
        None => {
            return Err(
                Error::internal("too many handles are open").with_action("Free handles that are no longer used.")
            );
        }
    };
    let slot = slots.get_mut(index).ok_or_else(|| Error::internal("the handle table is damaged"))?;
    slot.object = Some(Arc::new(object));
    Ok(ptr::without_provenance_mut(encode(index, slot.generation)))
}

/// The object that a handle names.
pub(crate) fn get<T: Object>(handle: *const T::Handle) -> Result<Arc<T>> {
    let table = table();
    let object = decode(live::<T>(handle)?)
        .and_then(|(index, generation)| {
            let guard = table.slots.read();
            guard.slots.get(index).filter(|slot| slot.generation == generation)?.object.clone()
        })
        .ok_or_else(|| stale::<T>(table))?;
    object.downcast().map_err(|_| other_kind::<T>())
}

/// Takes an object out of the table; its handle is invalid from then on.
pub(crate) fn remove<T: Object>(handle: *const T::Handle) -> Result<Arc<T>> {
    let table = table();
    let (index, generation) = decode(live::<T>(handle)?).ok_or_else(|| stale::<T>(table))?;
    let mut guard = table.slots.write();
    let Slots { slots, free } = &mut *guard;
    let slot = slots.get_mut(index).filter(|slot| slot.generation == generation).ok_or_else(|| stale::<T>(table))?;
    let object = slot.object.as_ref().ok_or_else(|| stale::<T>(table))?;
    let object = Arc::clone(object).downcast().map_err(|_| other_kind::<T>())?;
    slot.object = None;
    // A slot whose generations are used up is never used again.
    if let Some(next) = slot.generation.checked_add(1) {
        slot.generation = next;
        free.push(index);
    }
    Ok(object)
}

fn live<T: Object>(handle: *const T::Handle) -> Result<usize> {
    if handle.is_null() {
        return Err(
            Error::validation(format!("{} is NULL", T::NAME)).with_action("Pass a handle that the library gave out.")
        );
    }
    Ok(handle.addr())
}

fn stale<T: Object>(table: &Table) -> Error {
    if table.parent.is_some() {
        return Error::invalid_state(
            format!("{} does not belong to this process, which was forked", T::NAME),
            "Open a platform in this process and use its handles.",
        );
    }
    Error::invalid_state(
        format!("{} is not a live handle", T::NAME),
        "Use a handle only until it is freed, and free it once.",
    )
}

fn other_kind<T: Object>() -> Error {
    Error::invalid_state(
        format!("{} is a handle of another kind", T::NAME),
        format!("Pass a handle of the type must_{}_t.", T::NAME),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Buffer;
    use crate::error::Failure;
    use must::ErrorCode;

    fn buffer() -> *mut must_buffer_t {
        insert(Buffer::json("hello".to_owned())).unwrap()
    }

    #[test]
    fn a_handle_is_good_until_it_is_removed() {
        let handle = buffer();
        assert!(get::<Buffer>(handle).is_ok());
        assert!(remove::<Buffer>(handle).is_ok());
        assert_eq!(get::<Buffer>(handle).err().unwrap().code(), ErrorCode::InvalidState);
        assert_eq!(remove::<Buffer>(handle).err().unwrap().code(), ErrorCode::InvalidState);
        let next = buffer();
        assert_ne!(next, handle);
        remove::<Buffer>(next).unwrap();
    }

    #[test]
    fn another_kind_null_and_plain_addresses_are_errors() {
        let handle = buffer();
        assert_eq!(get::<Failure>(handle.cast()).err().unwrap().code(), ErrorCode::InvalidState);
        assert_eq!(remove::<Failure>(handle.cast()).err().unwrap().code(), ErrorCode::InvalidState);
        assert_eq!(get::<Buffer>(ptr::null()).err().unwrap().code(), ErrorCode::ValidationError);
        let local = 0_u8;
        assert!(get::<Buffer>((&raw const local).cast()).is_err());
        for bits in [1, usize::MAX, MARK, handle.addr() ^ (1 << 40), handle.addr() ^ (1 << 60)] {
            assert!(get::<Buffer>(ptr::without_provenance(bits)).is_err());
        }
        remove::<Buffer>(handle).unwrap();
    }

    #[test]
    fn an_object_lives_until_the_call_that_uses_it_returns() {
        let handle = buffer();
        let object = get::<Buffer>(handle).unwrap();
        remove::<Buffer>(handle).unwrap();
        assert_eq!(object.bytes(), b"hello");
    }

    #[test]
    fn threads_never_share_a_handle() {
        let made = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..500).map(|_| buffer().addr()).collect::<Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let unique: std::collections::HashSet<_> = made.iter().copied().collect();
        assert_eq!(unique.len(), made.len());
        for handle in made {
            remove::<Buffer>(ptr::without_provenance(handle)).unwrap();
        }
    }
}
