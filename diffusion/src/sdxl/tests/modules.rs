//! Compares the UNet and its modules with the reference library.

use std::sync::Arc;

use candle_core::{DType, Tensor};

use super::made;
use crate::place::Blocks;
use crate::sdxl::shape::UnetShape;
use crate::sdxl::unet::Unet;
use crate::sdxl::units::{Block, Branch, Unit, units};
use crate::testing::files::write;
use crate::testing::{Golden, Silent, check, golden};
use crate::weights::{Inventory, Loading, ModelFiles, Scope, Tensors};

/// Writes a UNet to a folder and reads its tensors and sizes.
fn opened(part: &str) -> (tempfile::TempDir, Arc<Tensors>, UnetShape) {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("unet/diffusion_pytorch_model.safetensors"), &made::part(part));
    let files = ModelFiles::Folder(folder.path().to_owned());
    let inventory = Inventory::read(&files, &crate::sdxl::layouts::all()).unwrap();
    let [found] = inventory.all() else { panic!("{:?}", inventory.all()) };
    let tensors = found.tensors().clone();
    let shape = UnetShape::read(&files, found, &tensors).unwrap();
    (folder, tensors, shape)
}

fn sizes(height: usize, width: usize) -> [f64; 6] {
    let (height, width) = (height as f64 * 8.0, width as f64 * 8.0);
    [height, width, 0.0, 0.0, height, width]
}

fn flat(golden: &Golden, name: &str) -> Tensor {
    let tensor = golden[name].clone();
    if tensor.rank() == 3 { tensor.unsqueeze(1).unwrap() } else { tensor }
}

const SIZES: [(&str, f64); 3] = [("even", 999.0), ("odd", 321.75), ("narrow", 1.0)];

fn with_unet(compute: DType, work: impl FnOnce(&Unet, &UnetShape, &Scope<'_>)) {
    let (_folder, tensors, shape) = opened("unet");
    let place = crate::testing::place_in(compute);
    let mut silent = Silent;
    let loading = Loading::new(&mut silent, 0);
    let scope = Scope::root(&tensors, &place, &loading);
    let blocks = units(&shape).into_iter().map(|unit| Block::load(&shape, unit, &scope).unwrap()).collect();
    let unet = Unet::load(&shape, &scope, Blocks::Resident(blocks)).unwrap();
    work(&unet, &shape, &scope);
}

#[test]
fn predictions_agree_at_any_size() {
    let golden = golden("sdxl/golden.safetensors");
    with_unet(DType::F32, |unet, _, _| {
        for (name, time) in SIZES {
            let input = flat(&golden, &format!("unet.{name}.input"));
            let (_, _, height, width) = input.dims4().unwrap();
            let context = unet.context(&golden["unet.states"], &golden["unet.pooled"], &sizes(height, width)).unwrap();
            let plan = unet.plan(&[7.0, time]).unwrap();
            let ours = unet.forward(&input, &plan, 1, &[&context, &context]).unwrap();
            for ours in ours {
                check(name, &ours, &flat(&golden, &format!("unet.{name}.output")), 1e-5);
            }
        }
    });
}

#[test]
fn bfloat16_stays_within_its_bound() {
    let golden = golden("sdxl/golden.safetensors");
    with_unet(DType::BF16, |unet, _, _| {
        for (name, time) in SIZES {
            let input = flat(&golden, &format!("unet.{name}.input"));
            let (_, _, height, width) = input.dims4().unwrap();
            let context = unet.context(&golden["unet.states"], &golden["unet.pooled"], &sizes(height, width)).unwrap();
            let ours = unet.forward(&input, &unet.plan(&[time]).unwrap(), 0, &[&context]).unwrap().remove(0);
            check(&format!("{name} against bf16"), &ours, &flat(&golden, &format!("unet.{name}.bf16")), 5e-2);
            check(&format!("{name} against float32"), &ours, &flat(&golden, &format!("unet.{name}.output")), 5e-2);
        }
    });
}

#[test]
fn every_module_agrees() {
    let golden = golden("sdxl/golden.safetensors");
    with_unet(DType::F32, |_, shape, scope| {
        let reference = |name: &str| flat(&golden, &format!("unet.odd.{name}"));
        let embedding = crate::sdxl::embedding::Embedding::load(shape, scope).unwrap();
        let time = embedding.times(&[321.75]).unwrap();
        check("time_embedding", &time.squeeze(0).unwrap(), &golden["unet.odd.time_embedding"], 1e-5);
        let added = embedding.added(&golden["unet.pooled"], &sizes(9, 13)).unwrap();
        check("add_embedding", &added.squeeze(0).unwrap(), &golden["unet.odd.add_embedding"], 1e-5);
        let time = (time + added).unwrap().silu().unwrap();
        let state = reference("conv_in");
        let mut branch = Branch { skips: vec![state.clone()], state, time };
        let count = shape.levels.len();
        for unit in units(shape) {
            let block = Block::load(shape, unit, scope).unwrap();
            let keys: Vec<_> = (0..unit.depth(shape)).map(|_| std::sync::OnceLock::new()).collect();
            branch = block.forward(branch, &golden["unet.states"], &keys).unwrap();
            let name = match unit {
                Unit::Down { level, block: 1 } if level + 1 == count => format!("down_blocks.{level}"),
                Unit::Downsample { level } => format!("down_blocks.{level}"),
                Unit::Middle => "mid_block".to_owned(),
                Unit::Upsample { level } => format!("up_blocks.{}", count - 1 - level),
                Unit::Up { level: 0, block: 2 } => format!("up_blocks.{}", count - 1),
                Unit::Down { level: 1, block: 0 } => "attention".to_owned(),
                _ => continue,
            };
            check(&name, &branch.state, &reference(&name), 1e-5);
        }
        assert!(branch.skips.is_empty());
    });
}
