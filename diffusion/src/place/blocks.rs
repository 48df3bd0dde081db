//! The repeated blocks of a denoiser: all loaded, or each read from its file when it is needed.

use must_tensors::{Error, Result};

use crate::control::Unwatched;
use crate::weights::{Loading, Place, Scope, Tensors};

/// The blocks of a denoiser in their order. Streamed and resident blocks give the same bits.
pub(crate) enum Blocks<B> {
    /// All blocks are loaded.
    Resident(Vec<B>),
    /// One block at a time is loaded.
    Streamed(BlockReader<B>),
}

/// Loads the block with an index from a scope.
type LoadBlock<B> = Box<dyn Fn(&Scope<'_>, usize) -> Result<B> + Send + Sync>;

/// Reads blocks from the mapped file.
pub(crate) struct BlockReader<B> {
    tensors: Tensors,
    place: Place,
    count: usize,
    modules: Box<dyn Fn(usize) -> Vec<String> + Send + Sync>,
    load: LoadBlock<B>,
}

impl<B> BlockReader<B> {
    fn read(&self, index: usize) -> Result<B> {
        let mut unwatched = Unwatched;
        let loading = Loading::new(&mut unwatched, 0);
        (self.load)(&Scope::root(&self.tensors, &self.place, &loading), index)
    }

    /// Tells the system that the file pages of a block are not needed for now.
    fn release(&self, index: usize) {
        (self.modules)(index).iter().for_each(|module| self.tensors.release_below(module));
    }
}

impl<B> Blocks<B> {
    /// Loads `count` blocks, or prepares them for streaming when `streamed` gives the network's tensors. `scope` is that of the
    /// whole network; `load` loads the block with an index from it, and `modules` names the modules that the block consists of.
    pub(crate) fn load(
        count: usize,
        scope: &Scope<'_>,
        streamed: Option<&Tensors>,
        modules: impl Fn(usize) -> Vec<String> + Send + Sync + 'static,
        load: impl Fn(&Scope<'_>, usize) -> Result<B> + Send + Sync + 'static,
    ) -> Result<Self> {
        match streamed {
            Some(tensors) => Ok(Self::Streamed(BlockReader {
                tensors: tensors.clone(),
                place: scope.place().clone(),
                count,
                modules: Box::new(modules),
                load: Box::new(load),
            })),
            None => Ok(Self::Resident((0..count).map(|index| load(scope, index)).collect::<Result<_>>()?)),
        }
    }

    /// Does the same as [`Self::load`] for blocks that are the modules `list.0`, `list.1` and so on. `load` gets the scope of
    /// the block.
    pub(crate) fn load_list(
        list: &'static str,
        count: usize,
        scope: &Scope<'_>,
        streamed: Option<&Tensors>,
        load: impl Fn(&Scope<'_>, usize) -> Result<B> + Send + Sync + 'static,
    ) -> Result<Self> {
        let name = move |index: usize| format!("{list}.{index}");
        let load = move |scope: &Scope<'_>, index: usize| load(&scope.pp(name(index)), index);
        Self::load(count, scope, streamed, move |index| vec![name(index)], load)
    }

    /// Returns the number of blocks.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Resident(blocks) => blocks.len(),
            Self::Streamed(reader) => reader.count,
        }
    }

    /// Returns the loaded blocks: none when blocks are streamed.
    pub(crate) fn resident(&self) -> &[B] {
        match self {
            Self::Resident(blocks) => blocks,
            Self::Streamed(_) => &[],
        }
    }

    /// Calls `work` with one block, which is read first and released afterwards when blocks are streamed.
    pub(crate) fn with<R>(&self, index: usize, work: impl FnOnce(&B) -> Result<R>) -> Result<R> {
        match self {
            Self::Resident(blocks) => {
                work(blocks.get(index).ok_or_else(|| Error::internal("a denoiser has no such block"))?)
            }
            Self::Streamed(reader) => {
                let outcome = reader.read(index).and_then(|block| work(&block));
                reader.release(index);
                outcome
            }
        }
    }
}

impl<B> std::fmt::Debug for Blocks<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if matches!(self, Self::Resident(_)) { "resident" } else { "streamed" };
        write!(f, "{} {kind} blocks", self.len())
    }
}
