//! Weight files with the sizes of published ones that take no memory. Tests list the names and shapes of their tensors by
//! hand, from the publishers' code.

use std::sync::{Arc, OnceLock};

use crate::weights::{Dense, Encoding, FileBytes, Inventory, Layout, ModelFiles, Source, StoredTensor};

/// The tensors of a file, each with its name and shape.
pub(crate) type Sample = Vec<(String, Vec<usize>)>;

/// Bytes of the largest tensor of any sample: the embedding of UMT5-XXL with two bytes an element.
const LARGEST: u64 = 256_384 * 4096 * 2;

/// Returns a tensor of zeros in bfloat16 that takes no memory. It has at most [`LARGEST`] bytes.
pub(crate) fn zeros(shape: &[usize]) -> StoredTensor {
    static ZEROS: OnceLock<FileBytes> = OnceLock::new();
    let all = ZEROS.get_or_init(|| {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(LARGEST).unwrap();
        FileBytes::open(file.path()).unwrap()
    });
    let size = shape.iter().product::<usize>() as u64 * 2;
    StoredTensor::new(shape.to_vec(), Encoding::Dense(Dense::BF16), all.slice(0, size).unwrap()).unwrap()
}

/// Returns a file with these tensors. All of their numbers are zero.
pub(crate) fn source(file: &str, samples: &[Sample]) -> Source {
    let tensors = samples.iter().flatten().map(|(name, shape)| (name.clone(), zeros(shape)));
    Source::from_tensors(file, tensors.collect())
}

/// Adds a prefix to the names of the tensors.
pub(crate) fn below(prefix: &str, sample: &Sample) -> Sample {
    sample.iter().map(|(name, shape)| (format!("{prefix}{name}"), shape.clone())).collect()
}

/// Collects the names and shapes of tensors.
#[derive(Default)]
pub(crate) struct SampleBuilder(pub(crate) Sample);

impl SampleBuilder {
    pub(crate) fn put(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.0.push((name.into(), shape.to_vec()));
    }

    /// Adds a linear layer or a convolution with its bias.
    pub(crate) fn layer(&mut self, name: impl AsRef<str>, shape: &[usize]) {
        self.put(format!("{}.weight", name.as_ref()), shape);
        self.put(format!("{}.bias", name.as_ref()), &shape[..1]);
    }
}

/// A model's folder: small files on disk, and weights of true size that are not on disk.
pub(crate) struct Folder {
    folder: tempfile::TempDir,
    weights: Vec<(String, Vec<Sample>)>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), weights: vec![] }
    }

    /// Adds weights.
    pub(crate) fn with(mut self, file: &str, sample: Sample) -> Self {
        self.weights.push((file.to_owned(), vec![sample]));
        self
    }

    /// Adds a small file.
    pub(crate) fn put(self, file: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn files(&self) -> ModelFiles {
        ModelFiles::Folder(self.folder.path().to_owned())
    }

    /// Reads the inventory of the folder for these layouts.
    pub(crate) fn inventory_of(&self, layouts: &[&'static Layout]) -> Inventory {
        let open = |(file, samples): &(String, Vec<Sample>)| (vec![file.clone()], Arc::new(source(file, samples)));
        Inventory::with_sources(&self.files(), self.weights.iter().map(open).collect(), layouts).unwrap()
    }
}
