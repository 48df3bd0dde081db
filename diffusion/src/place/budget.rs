//! The memory of a device.

use crate::device::Device;

/// Share of the device's memory that a generation may use; the rest is for the host program and the system.
const SHARE: f64 = 0.9;

/// The amount of memory that a generation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes; `None` if the system does not report its memory.
    pub bytes: Option<u64>,
}

impl Budget {
    /// Returns the budget of a device, computed from its total memory: memory that is in use now may be freed before it is needed.
    pub fn of(device: &Device) -> Self {
        let total = if device.0.is_cpu() { machine() } else { gpu(device) };
        Self { bytes: total.map(|bytes| (bytes as f64 * SHARE) as u64) }
    }
}

/// Returns the bytes of the machine's memory, or the limit of its container if that is lower.
fn machine() -> Option<u64> {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo(&text));
    let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    match (total, limit) {
        (Some(total), Some(limit)) => Some(total.min(limit)),
        (total, limit) => total.or(limit),
    }
}

fn meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(feature = "cuda")]
fn gpu(device: &Device) -> Option<u64> {
    let cuda = device.0.as_cuda_device().ok()?;
    cuda.cuda_stream().context().mem_get_info().ok().map(|(_, total)| total as u64)
}

#[cfg(not(feature = "cuda"))]
fn gpu(_: &Device) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_this_machine_is_known_where_linux_tells_it() {
        assert_eq!(meminfo("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(meminfo("MemFree: 1 kB\n"), None);
        if cfg!(target_os = "linux") {
            let bytes = Budget::of(&Device::cpu()).bytes.unwrap();
            assert!(bytes > 64 << 20, "{bytes}");
        }
    }
}
