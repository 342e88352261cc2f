"""Writes the small PyTorch files beside it; run with torch installed, in this folder.

The values are arange(n)/8 - 1 per tensor, so that a test can compute them.
"""
import torch
from torch import nn


def values(*shape, dtype=torch.float32):
    n = 1
    for d in shape:
        n *= d
    return (torch.arange(n, dtype=torch.float32) / 8 - 1).reshape(shape).to(dtype)


class Visual(nn.Module):
    def __init__(self):
        super().__init__()
        self.class_embedding = nn.Parameter(values(4))
        self.conv1 = nn.Conv2d(3, 4, 2, bias=False)
        self.conv1.weight = nn.Parameter(values(4, 3, 2, 2, dtype=torch.float16))
        self.ln_pre = nn.LayerNorm(4)
        self.blocks = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        self.proj = nn.Parameter(values(4, 2))

    def forward(self, x):
        return self.blocks(self.ln_pre(self.conv1(x).float().mean((2, 3)) + self.class_embedding)) @ self.proj


class Clip(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Visual()
        self.logit_scale = nn.Parameter(torch.tensor(2.5))
        self.register_buffer("input_resolution", torch.tensor(224))

    def forward(self, x):
        return self.visual(x) * self.logit_scale


state = {
    "f32": values(3, 5), "f16": values(2, 3, dtype=torch.float16), "bf16": values(7, dtype=torch.bfloat16),
    "f64": values(2, dtype=torch.float64), "i64": torch.tensor([1, -2, 1 << 40]), "u8": torch.tensor([1, 2, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False]), "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4),
    "transposed": values(3, 5).t(), "slice": values(4, 6)[1:3, 2:5], "parameter": nn.Parameter(values(2)),
}
state["tied"] = state["f32"]
state["fp8"] = values(4).to(torch.float8_e4m3fn)
torch.save({"model": state, "epoch": 3, "args": {"lr": 1e-4, "names": ["a", "b"], "flags": {1, 2}}}, "zip.pth")
torch.save({"state_dict": {k: v for k, v in state.items() if k != "fp8"}}, "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(values(3, 4), "tensor_p5.pt", pickle_protocol=5)
torch.save({"w": values(3, 4)}, "legacy_p4.pt", _use_new_zipfile_serialization=False, pickle_protocol=4)
clip = Clip().eval()
for name, p in clip.named_parameters():
    if "blocks" in name or "ln_pre" in name:
        p.data = values(*p.shape)
torch.jit.save(torch.jit.script(clip), "script.pt")
