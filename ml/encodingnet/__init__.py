"""EncodingNet: networks on encoded products, from float training over exact 8-bit codes to trained position weights."""
