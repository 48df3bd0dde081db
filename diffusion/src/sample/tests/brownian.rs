//! Compares Brownian motions with those of torchsde.

use super::{difference, discrete_tensors};
use candle_core::{Device, Tensor};
use must_tensors::BrownianTree;

#[test]
fn motions_equal_those_of_the_reference() {
    let tensors = discrete_tensors();
    let mut worst = 0f32;
    for number in 0..4 {
        let tensor = |name: &str| &tensors[&format!("brownian.{number}.{name}")];
        let interval: Vec<f64> = tensor("interval").to_vec1().unwrap();
        let seed: Vec<i64> = tensor("seed").to_vec1().unwrap();
        let asked: Vec<Vec<f64>> = tensor("asked").to_vec2().unwrap();
        let mut motion = BrownianTree::new(u64::try_from(seed[0]).unwrap(), interval[0], interval[1]);
        for (index, moments) in asked.iter().enumerate() {
            let reference = tensor("values").get(index).unwrap();
            let count = reference.elem_count();
            let ours = Tensor::from_vec(motion.change(moments[0], moments[1], count), count, &Device::Cpu).unwrap();
            worst = worst.max(difference(&ours, &reference));
        }
        // The result depends neither on the order of calls nor on earlier ones.
        let again = motion.change(asked[3][0], asked[3][1], 16);
        let fresh = BrownianTree::new(u64::try_from(seed[0]).unwrap(), interval[0], interval[1]).change(
            asked[3][0],
            asked[3][1],
            16,
        );
        assert_eq!(again, fresh);
        assert!(motion.change(0.6, 0.6, 3) == [0.0; 3]);
    }
    println!("Brownian motions {worst:.1e}");
    assert!(worst < 2e-6, "{worst:e}");
}
