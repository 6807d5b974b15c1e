//! Numbers of ONNX tensors that stand in lists, as some writers have them, instead of bytes.

use rnnc::onnx::proto::{Graph, Model, Tensor, element};
use rnnc::weights::onnx::read_within;
use rnnc::weights::{Array, Data};

fn read(tensor: Tensor) -> Result<Array, String> {
    let graph = Graph { initializer: vec![Tensor { name: "w".into(), ..tensor }], ..Graph::default() };
    let bytes = prost::Message::encode_to_vec(&Model { graph: Some(graph), ..Model::default() });
    let (arrays, _) =
        read_within("a.onnx", &bytes, 1 << 20).map_err(|e| format!("{} {}", e.code, e.message))?;
    Ok(arrays["w"].clone())
}

fn small(data_type: i32, values: &[i32]) -> Tensor {
    let dims = vec![values.len() as i64];
    Tensor { dims, data_type, int32_data: values.to_vec(), ..Tensor::default() }
}

#[test]
fn lists_are_read_as_what_they_mean() {
    let array = |data: Data| Ok(Array { shape: vec![2], data });
    for kind in [element::INT32, element::INT16, element::INT8] {
        assert_eq!(read(small(kind, &[-2, 3])), array(Data::I32(vec![-2, 3])));
    }
    for kind in [element::UINT8, element::UINT16] {
        assert_eq!(read(small(kind, &[200, 3])), array(Data::I32(vec![200, 3])));
    }
    assert_eq!(read(small(element::BOOL, &[1, 0])), array(Data::I32(vec![1, 0])));
    // The bits of 1 and -2.
    assert_eq!(read(small(element::FLOAT16, &[0x3c00, 0xc000])), array(Data::F32(vec![1.0, -2.0])));
    assert_eq!(read(small(element::BFLOAT16, &[0x3f80, 0xc000])), array(Data::F32(vec![1.0, -2.0])));
    let long = |data_type| Tensor {
        dims: vec![2],
        data_type,
        int64_data: vec![-(1 << 40), 5],
        uint64_data: vec![7, 5],
        ..Tensor::default()
    };
    assert_eq!(read(long(element::INT64)), array(Data::I64(vec![-(1 << 40), 5])));
    assert_eq!(read(long(element::UINT32)), array(Data::I64(vec![7, 5])));
    assert_eq!(read(long(element::UINT64)), array(Data::I64(vec![7, 5])));
}

#[test]
fn a_number_that_is_none_of_its_type_is_refused() {
    for (kind, value) in [
        (element::INT8, 128),
        (element::UINT8, -1),
        (element::BOOL, 2),
        (element::INT16, 1 << 15),
        (element::UINT16, -1),
        (element::FLOAT16, 1 << 16),
    ] {
        let refused = read(small(kind, &[value])).expect_err("refused");
        assert!(refused.contains("`w`"), "{kind}: {refused}");
    }
    let large = Tensor {
        dims: vec![1],
        data_type: element::UINT64,
        uint64_data: vec![u64::MAX],
        ..Tensor::default()
    };
    assert!(read(large).is_err());
}

#[test]
fn a_list_of_another_length_than_the_shape_is_refused() {
    let short = Tensor { dims: vec![3], ..small(element::INT32, &[1, 2]) };
    let refused = read(short).expect_err("refused");
    assert!(refused.contains("asks for 3 elements, 2 numbers are there"), "{refused}");
    let none = Tensor { dims: vec![3], data_type: element::FLOAT, ..Tensor::default() };
    let refused = read(none).expect_err("refused");
    assert!(refused.contains("asks for 3 elements, 0 numbers are there"), "{refused}");
}
