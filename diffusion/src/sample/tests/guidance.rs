//! Tests of guidance.

use super::super::*;
use super::{discrete_tensors, values};

#[test]
fn guidance_goes_past_the_prompt_and_changes_experts_at_the_boundary() {
    let tensors = discrete_tensors();
    let (with, without) = (&tensors["clean"], &tensors["outputs"].get(0).unwrap());
    let at = |model| Time { sigma: 0.0, model };
    let experts = Guidance::Experts { boundary: 875.0, high: 4.0, low: 1.0 };
    assert_eq!((experts.expert(at(875.0)), experts.scale(at(875.0))), (Expert::High, Some(4.0)));
    assert_eq!((experts.expert(at(874.0)), experts.scale(at(874.0))), (Expert::Low, None));
    assert!(experts.needs_negative(&[at(999.0), at(100.0)]) && !experts.needs_negative(&[at(100.0)]));
    assert!(!Guidance::Classifier { scale: 1.0 }.needs_negative(&[at(999.0)]));
    assert_eq!(Guidance::Classifier { scale: 1.0 }.scale(at(1.0)), None);

    let guided = Guidance::Classifier { scale: 3.0 };
    let ours = values(&guided.combine(at(1.0), with, Some(without)).unwrap());
    let expected =
        values(with).into_iter().zip(values(without)).map(|(with, without)| without + (with - without) * 3.0);
    assert_eq!(ours, expected.collect::<Vec<_>>());
    assert!(guided.combine(at(1.0), with, None).is_err());
    assert_eq!(values(&experts.combine(at(1.0), with, None).unwrap()), values(with));
}
