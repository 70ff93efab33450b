"""Writes a copy of a GGUF file whose Q4_1 matrices are Q8_0: engines differ in which forms have fast kernels.

    python requantise.py IN.gguf OUT.gguf
"""

import sys

import gguf

source, target = sys.argv[1:]
reader = gguf.GGUFReader(source)
writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
for name, field in reader.fields.items():
    if name.startswith("GGUF.") or name == "general.architecture":
        continue
    item = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
    writer.add_key_value(name, field.contents(), field.types[0], item)
old, new = gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q8_0
for tensor in reader.tensors:
    if tensor.tensor_type == old:
        data = gguf.quants.quantize(gguf.quants.dequantize(tensor.data, old), new)
        writer.add_tensor(tensor.name, data, raw_dtype=new)
    else:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
