"""What is read of Caffe's files, as protobuf messages (needs the `train` extra: protobuf).

Names and numbers are those of Caffe's `caffe.proto`. Only the fields that an import uses are here: the parsers pass
over all others, so files of Caffe's many offshoots can be read, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE: Final = "caffe"

# The names by number, in order from 0.
_ENUMS: Final[Mapping[str, str]] = {
    "LayerType": "NONE ACCURACY BNLL CONCAT CONVOLUTION DATA DROPOUT EUCLIDEAN_LOSS FLATTEN HDF5_DATA HDF5_OUTPUT "
    "IM2COL IMAGE_DATA INFOGAIN_LOSS INNER_PRODUCT LRN MULTINOMIAL_LOGISTIC_LOSS POOLING RELU SIGMOID SOFTMAX "
    "SOFTMAX_LOSS SPLIT TANH WINDOW_DATA ELTWISE POWER SIGMOID_CROSS_ENTROPY_LOSS HINGE_LOSS MEMORY_DATA ARGMAX "
    "THRESHOLD DUMMY_DATA SLICE MVN ABSVAL SILENCE CONTRASTIVE_LOSS EXP DECONVOLUTION",
    "NormRegion": "ACROSS_CHANNELS WITHIN_CHANNEL",
    "Phase": "TRAIN TEST",
    "PoolMethod": "MAX AVE STOCHASTIC",
    "RoundMode": "CEIL FLOOR",
}

# The fields of each message: number, type, and the value of an absent one where it is not 0.
_MESSAGES: Final[Mapping[str, Mapping[str, tuple[int, str] | tuple[int, str, str]]]] = {
    "BlobShape": {"dim": (1, "repeated int64")},
    "BlobProto": {
        "num": (1, "int32", "1"),
        "channels": (2, "int32", "1"),
        "height": (3, "int32", "1"),
        "width": (4, "int32", "1"),
        "data": (5, "repeated float"),
        "shape": (7, "BlobShape"),
        "double_data": (8, "repeated double"),
    },
    # A `.caffemodel` is a NetParameter; its definitions are not looked at.
    "V1LayerWeights": {"name": (4, "string"), "blobs": (6, "repeated BlobProto")},
    "LayerWeights": {"name": (1, "string"), "blobs": (7, "repeated BlobProto")},
    "NetWeights": {"layers": (2, "repeated V1LayerWeights"), "layer": (100, "repeated LayerWeights")},
    # A `.prototxt` is one as well.
    "NetParameter": {
        "name": (1, "string"),
        "layers": (2, "repeated V1LayerParameter"),
        "input": (3, "repeated string"),
        "input_dim": (4, "repeated int32"),
        "input_shape": (8, "repeated BlobShape"),
        "layer": (100, "repeated LayerParameter"),
    },
    "V0LayerParameter": {},
    "V1LayerParameter": {
        "layer": (1, "V0LayerParameter"),
        "bottom": (2, "repeated string"),
        "top": (3, "repeated string"),
        "name": (4, "string"),
        "type": (5, "LayerType"),
        "convolution_param": (10, "ConvolutionParameter"),
        "data_param": (11, "DataParameter"),
        "image_data_param": (15, "ImageDataParameter"),
        "inner_product_param": (17, "InnerProductParameter"),
        "lrn_param": (18, "LRNParameter"),
        "pooling_param": (19, "PoolingParameter"),
        "window_data_param": (20, "WindowDataParameter"),
        "relu_param": (30, "ReLUParameter"),
        "include": (32, "repeated NetStateRule"),
        "exclude": (33, "repeated NetStateRule"),
        "transform_param": (36, "TransformationParameter"),
        "softmax_param": (39, "SoftmaxParameter"),
    },
    "LayerParameter": {
        "name": (1, "string"),
        "type": (2, "string"),
        "bottom": (3, "repeated string"),
        "top": (4, "repeated string"),
        "include": (8, "repeated NetStateRule"),
        "exclude": (9, "repeated NetStateRule"),
        "transform_param": (100, "TransformationParameter"),
        "convolution_param": (106, "ConvolutionParameter"),
        "data_param": (107, "DataParameter"),
        "image_data_param": (115, "ImageDataParameter"),
        "inner_product_param": (117, "InnerProductParameter"),
        "lrn_param": (118, "LRNParameter"),
        "pooling_param": (121, "PoolingParameter"),
        "relu_param": (123, "ReLUParameter"),
        "softmax_param": (125, "SoftmaxParameter"),
        "window_data_param": (129, "WindowDataParameter"),
        "batch_norm_param": (139, "BatchNormParameter"),
        "scale_param": (142, "ScaleParameter"),
        "input_param": (143, "InputParameter"),
    },
    "NetStateRule": {
        "phase": (1, "Phase"),
        "min_level": (2, "int32"),
        "max_level": (3, "int32"),
        "stage": (4, "repeated string"),
    },
    "BatchNormParameter": {"eps": (3, "float", "1e-5")},
    "ConvolutionParameter": {
        "num_output": (1, "uint32"),
        "bias_term": (2, "bool", "true"),
        "pad": (3, "repeated uint32"),
        "kernel_size": (4, "repeated uint32"),
        "group": (5, "uint32", "1"),
        "stride": (6, "repeated uint32"),
        "pad_h": (9, "uint32"),
        "pad_w": (10, "uint32"),
        "kernel_h": (11, "uint32"),
        "kernel_w": (12, "uint32"),
        "stride_h": (13, "uint32"),
        "stride_w": (14, "uint32"),
        "axis": (16, "int32", "1"),
        "dilation": (18, "repeated uint32"),
    },
    "DataParameter": {"crop_size": (6, "uint32")},
    "ImageDataParameter": {"crop_size": (5, "uint32")},
    "InnerProductParameter": {
        "num_output": (1, "uint32"),
        "bias_term": (2, "bool", "true"),
        "axis": (5, "int32", "1"),
        "transpose": (6, "bool"),
    },
    "InputParameter": {"shape": (1, "repeated BlobShape")},
    "LRNParameter": {
        "local_size": (1, "uint32", "5"),
        "alpha": (2, "float", "1"),
        "beta": (3, "float", "0.75"),
        "norm_region": (4, "NormRegion"),
        "k": (5, "float", "1"),
    },
    # One size, padding and stride each in Caffe; repeated here to be read like a convolution's.
    "PoolingParameter": {
        "pool": (1, "PoolMethod"),
        "kernel_size": (2, "repeated uint32"),
        "stride": (3, "repeated uint32"),
        "pad": (4, "repeated uint32"),
        "kernel_h": (5, "uint32"),
        "kernel_w": (6, "uint32"),
        "stride_h": (7, "uint32"),
        "stride_w": (8, "uint32"),
        "pad_h": (9, "uint32"),
        "pad_w": (10, "uint32"),
        "global_pooling": (12, "bool"),
        "round_mode": (13, "RoundMode"),
    },
    "ReLUParameter": {"negative_slope": (1, "float")},
    "ScaleParameter": {"axis": (1, "int32", "1"), "num_axes": (2, "int32", "1"), "bias_term": (4, "bool")},
    "SoftmaxParameter": {"axis": (2, "int32", "1")},
    "TransformationParameter": {"crop_size": (3, "uint32")},
    "WindowDataParameter": {"crop_size": (5, "uint32")},
}


def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package=_PACKAGE)
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values.split()):
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind, *default) in fields.items():
            repeated, _, type_name = kind.rpartition(" ")
            field = message.field.add(name=field_name, number=number)
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if type_name in _MESSAGES or type_name in _ENUMS:
                field.type_name = f".{_PACKAGE}.{type_name}"
            else:
                field.type = getattr(field, f"TYPE_{type_name.upper()}")
            if default:
                (field.default_value,) = default
    # Of its own: another library in the process may know Caffe's messages as well.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL: Final = _pool()


def new_message(name: str) -> Any:
    """An empty message, such as `NetParameter`."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))()


def enum_name(message: Any, field: str) -> str:
    """The name of the value of an enumeration."""
    value = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number[getattr(message, field)]
    return str(value.name)
