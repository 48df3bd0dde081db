//! Convolutions with NVIDIA's cuDNN, in the precision that the caller requests.
//!
//! candle also calls cuDNN, but always in its default mode, which rounds float32 to TF32 and does not run bfloat16 on tensor
//! cores. This module therefore calls cuDNN itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::cudnn::sys::cudnnConvolutionFwdAlgo_t as Algorithm;
use candle_core::cuda_backend::cudarc::cudnn::sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
use candle_core::cuda_backend::cudarc::cudnn::sys::cudnnMathType_t::{self, CUDNN_FMA_MATH, CUDNN_TENSOR_OP_MATH};
use candle_core::cuda_backend::cudarc::cudnn::sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
use candle_core::cuda_backend::cudarc::cudnn::{ConvForward, Cudnn, CudnnDataType, CudnnError};
use candle_core::cuda_backend::cudarc::driver::DeviceRepr;
use candle_core::cuda_backend::{CudaDType, DeviceId};
use candle_core::{CpuStorage, CudaDevice, CudaStorage, CustomOp2, DType, Error, Layout, Result, Shape, WithDType};
use half::bf16;

/// A convolution of `[n, in, h, w]` with `[out, in, k, k]`. Both are contiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Conv2d {
    /// Number of zeros on every side.
    pub(super) padding: usize,
    /// Stride in pixels.
    pub(super) stride: usize,
    /// Whether float32 may be rounded to TF32, which has 10 fraction bits, before multiplication.
    pub(super) tf32: bool,
}

/// The properties that determine which algorithm cuDNN chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Case {
    conv: Conv2d,
    dtype: DType,
    input: [usize; 4],
    weight: [usize; 4],
}

/// cuDNN on one device, with the algorithms that it chose.
struct Library {
    handle: Arc<Cudnn>,
    chosen: HashMap<Case, (Algorithm, usize)>,
}

thread_local! {
    /// The handles of cuDNN, which must stay on the thread that created them.
    static LIBRARIES: RefCell<HashMap<DeviceId, Library>> = RefCell::new(HashMap::new());
}

impl Conv2d {
    fn output(&self, input: [usize; 4], weight: [usize; 4]) -> [usize; 4] {
        let side = |side: usize, kernel: usize| (side + 2 * self.padding).saturating_sub(kernel) / self.stride + 1;
        [input[0], weight[0], side(input[2], weight[2]), side(input[3], weight[3])]
    }

    fn math(&self, dtype: DType) -> cudnnMathType_t {
        if dtype == DType::F32 && !self.tf32 { CUDNN_FMA_MATH } else { CUDNN_TENSOR_OP_MATH }
    }

    fn run<T>(
        &self,
        input: &CudaStorage,
        at: usize,
        weight: &CudaStorage,
        from: usize,
        case: Case,
    ) -> Result<CudaStorage>
    where
        T: CudaDType + CudnnDataType + DeviceRepr + WithDType,
    {
        let device = input.device();
        let (input, weight) = (input.as_cuda_slice::<T>()?, weight.as_cuda_slice::<T>()?);
        let (input, weight) = (input.slice(at..), weight.slice(from..));
        let size = self.output(case.input, case.weight);
        LIBRARIES.with_borrow_mut(|libraries| {
            let library = library(libraries, device)?;
            let handle = &library.handle;
            let sides = |side: usize| [side as i32, side as i32];
            // Products of bfloat16 are also summed in float32.
            let mut conv = handle
                .create_conv2d::<f32>(sides(self.padding), sides(self.stride), sides(1), CUDNN_CROSS_CORRELATION)
                .map_err(Error::wrap)?;
            conv.set_math_type(self.math(case.dtype)).map_err(Error::wrap)?;
            let lengths = |shape: [usize; 4]| shape.map(|side| side as i32);
            let x = handle.create_4d_tensor::<T>(CUDNN_TENSOR_NCHW, lengths(case.input)).map_err(Error::wrap)?;
            let w = handle.create_4d_filter::<T>(CUDNN_TENSOR_NCHW, lengths(case.weight)).map_err(Error::wrap)?;
            let y = handle.create_4d_tensor::<T>(CUDNN_TENSOR_NCHW, lengths(size)).map_err(Error::wrap)?;
            let forward = ConvForward { conv: &conv, x: &x, w: &w, y: &y };
            let (algorithm, workspace) = match library.chosen.get(&case) {
                Some(&chosen) => chosen,
                None => {
                    let chosen = choose(&forward).map_err(Error::wrap)?;
                    library.chosen.insert(case, chosen);
                    chosen
                }
            };
            #[expect(
                unsafe_code,
                reason = "cuDNN writes all of the output, and writes its workspace before it reads it"
            )]
            let (mut output, mut work) =
                unsafe { (device.alloc::<T>(size.iter().product())?, device.alloc::<u8>(workspace.max(1))?) };
            let once = (T::one(), T::zero());
            #[expect(unsafe_code, reason = "the slices have the types and at least the lengths of their descriptions")]
            unsafe { forward.launch(algorithm, Some(&mut work), once, &input, &weight, &mut output) }
                .map_err(Error::wrap)?;
            Ok(CudaStorage::wrap_cuda_slice(output, device.clone()))
        })
    }
}

fn library<'a>(libraries: &'a mut HashMap<DeviceId, Library>, device: &CudaDevice) -> Result<&'a mut Library> {
    match libraries.entry(device.id()) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => {
            let handle = Cudnn::new(device.cuda_stream()).map_err(Error::wrap)?;
            Ok(entry.insert(Library { handle, chosen: HashMap::new() }))
        }
    }
}

/// Returns the algorithm that cuDNN expects to be the fastest, and the bytes of its workspace.
fn choose<T: CudnnDataType>(
    forward: &ConvForward<'_, T, f32, T>,
) -> std::result::Result<(Algorithm, usize), CudnnError> {
    let algorithm = forward.pick_algorithm()?;
    Ok((algorithm, forward.get_workspace_size(algorithm)?))
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d by cuDNN"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Err(Error::Msg("cuDNN computes only on an NVIDIA GPU".to_owned()))
    }

    fn cuda_fwd(
        &self,
        input: &CudaStorage,
        input_layout: &Layout,
        weight: &CudaStorage,
        weight_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (Some((at, _)), Some((from, _))) = (input_layout.contiguous_offsets(), weight_layout.contiguous_offsets())
        else {
            return Err(Error::Msg("a convolution of tensors that are not contiguous".to_owned()));
        };
        let (n, inputs, height, width) = input_layout.shape().dims4()?;
        let (outputs, taken, tall, wide) = weight_layout.shape().dims4()?;
        if inputs != taken {
            return Err(Error::Msg(format!("a convolution of {taken} channels over {inputs}")));
        }
        let (dtype, input_size, weight_size) =
            (input.dtype(), [n, inputs, height, width], [outputs, taken, tall, wide]);
        let case = Case { conv: *self, dtype, input: input_size, weight: weight_size };
        let output = match dtype {
            DType::F32 => self.run::<f32>(input, at, weight, from, case)?,
            DType::BF16 => self.run::<bf16>(input, at, weight, from, case)?,
            other => return Err(Error::Msg(format!("a convolution of {other:?}"))),
        };
        Ok((output, self.output(input_size, weight_size).to_vec().into()))
    }
}
