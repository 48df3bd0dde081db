#!/bin/bash
# Makes a CUDA 13.0 tool folder for building candle's `cuda` and `cudnn` features on a machine without a GPU and without CUDA installed.
# usage: tools/cuda/setup.sh DIR        then: . DIR/env && cargo build --release --features cuda,cudnn
# Run it where `cargo fetch` has already fetched cudarc (any checkout that depends on candle with `cuda`).
# Versions are pinned: driver 580 runs PTX of CUDA 13.0 and no newer; cudarc 0.19 refuses nvcc versions that it does not know.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && cd "$1" && dir=$PWD
python3 -m venv venv
venv/bin/pip install -q --no-deps nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 \
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
n=$(echo "$dir"/venv/lib/python3*/site-packages/nvidia/cu13)
mkdir -p cuda/lib64/stubs
ln -sfn "$n/bin" cuda/bin; ln -sfn "$n/include" cuda/include; ln -sfn "$n/nvvm" cuda/nvvm; ln -sfn lib64 cuda/lib
ln -sf "$n/lib/libcudart_static.a" "$n/lib/libcudadevrt.a" cuda/lib64/
python3 "$here/lazy_cuda.py" cuda/lib64/stubs
echo "INPUT($dir/cuda/lib64/libcudart_static.a -lrt -ldl -lpthread)" > cuda/lib64/libcudart.so
cat > env <<END
export CUDA_HOME=$dir/cuda PATH=$dir/cuda/bin:\$PATH CUDA_COMPUTE_CAP=90 CUDAFORGE_THREADS=2
END
cuda/bin/nvcc --version | tail -2
