"""Writes reference.json beside it: what diffusers' schedulers and torch.randn give
for settings that the golden kit hasn't. Run with torch 2 and diffusers 0.42.

cases: timesteps, init_noise_sigma and the last latent of 16 elements, where
eps = x/2 + t/10000 for what the model reads, the first latent is
torch.randn(16) of seed 3 times init_noise_sigma, and all noise is of seed 7.
Where start > 0, the first latent is add_noise of a picture of seed 5.
spacing: FNV-1a over the timesteps (little-endian float32) of 1..1000 steps,
without the step counts in skip, where diffusers' own are wrong (a timestep of -1,
one too many, all the same, past the last, or an error).
randn: CRC-32 of the bytes of each call of torch.randn."""
import json, os, struct, zlib
import torch, diffusers
from diffusers import (PNDMScheduler, DDIMScheduler, EulerDiscreteScheduler, EulerAncestralDiscreteScheduler,
                       DPMSolverMultistepScheduler)

CLASSES = [PNDMScheduler, DDIMScheduler, EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, DPMSolverMultistepScheduler]
P, D, E, A, M = CLASSES
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
LAT = dict(clip_sample=False, set_alpha_to_one=False)
V = dict(prediction_type="v_prediction")


def randn(seed):
    g = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(16, generator=g)


def case(cls, n, kw=None, eta=0.0, start=0):
    kw = {**SD, **(kw or {})}
    s = cls(**kw)
    s.set_timesteps(n)
    noise = torch.Generator().manual_seed(7)
    ts = s.timesteps[start:]
    if start and hasattr(s, "set_begin_index"):
        s.set_begin_index(start)
    init = float(s.init_noise_sigma)
    x = randn(3)() * init
    if start:
        x = s.add_noise(randn(5)(), randn(3)(), ts[:1])
    for t in ts:
        eps = 0.5 * s.scale_model_input(x, t) + 0.1 * float(t) / 1000
        more = {}
        if cls in (D, E, A, M):
            more["generator"] = noise
        if cls is D:
            more["eta"] = eta
        x = s.step(eps, t, x, **more).prev_sample
    assert torch.isfinite(x).all(), (cls, n, kw)
    return dict(config={"_class_name": cls.__name__, **kw}, n=n, eta=eta, start=start, init=init,
                timesteps=[float(t) for t in ts], last=[float(f"{v:.8g}") for v in x.tolist()])


cases = []
for cls in CLASSES:
    base = {P: dict(skip_prk_steps=True), D: LAT}.get(cls, {})
    for n in (1, 2, 3, 4, 5, 30):
        cases.append(case(cls, n, base))
        cases.append(case(cls, n, {**base, **V}))
    for spacing in ("leading", "linspace", "trailing"):
        cases.append(case(cls, 9, {**base, "timestep_spacing": spacing, **V}))
    cases.append(case(cls, 12, {**base, "beta_schedule": "linear", "num_train_timesteps": 500}))
    cases.append(case(cls, 20, base, start=5))
    cases.append(case(cls, 20, {**base, **V}, start=19))
for n in (4, 5, 10, 33):
    cases.append(case(P, n))
    cases.append(case(P, n, V))
cases.append(case(P, 10, dict(skip_prk_steps=True, set_alpha_to_one=True)))
for n in (1, 6):
    cases.append(case(D, n, dict(clip_sample=True)))
    cases.append(case(D, n, dict(clip_sample=True, clip_sample_range=0.5, **V), eta=0.3))
    cases.append(case(D, n, LAT, eta=1.0))
    cases.append(case(D, n, {**LAT, **V}, eta=0.7))
for cls in (E, M):
    for n in (1, 2, 8, 25):
        cases.append(case(cls, n, dict(use_karras_sigmas=True)))
        cases.append(case(cls, n, dict(use_karras_sigmas=True, timestep_spacing="trailing", **V)))
    cases.append(case(cls, 8, dict(final_sigmas_type="sigma_min")))
for n in (3, 14, 15, 16):
    cases.append(case(M, n, dict(solver_type="heun", final_sigmas_type="sigma_min")))
    cases.append(case(M, n, dict(solver_type="heun", **V)))
    cases.append(case(M, n, dict(final_sigmas_type="sigma_min", euler_at_final=True)))
    cases.append(case(M, n, dict(final_sigmas_type="sigma_min", lower_order_final=False)))
    cases.append(case(M, n, dict(solver_order=1)))

spacing = []
for cls in CLASSES:
    for how in ("leading", "linspace", "trailing"):
        h, skip = 0xCBF29CE484222325, []
        for n in range(1, 1001):
            s = cls(**SD, timestep_spacing=how, **({"skip_prk_steps": True} if cls is P else {}))
            try:
                s.set_timesteps(n)
                ts = [float(t) for t in s.timesteps]
            except Exception:
                ts = []
            want = n + (1 if cls is P and n > 1 else 0)
            if len(ts) != want or min(ts) < 0 or max(ts) > 999 or n > 1 and ts[0] == ts[-1]:
                skip.append(n)
                continue
            for b in struct.pack("<%df" % len(ts), *ts):
                h = (h ^ b) * 0x100000001B3 % 2**64
        spacing.append(dict(config={"_class_name": cls.__name__, **SD, "timestep_spacing": how, "skip_prk_steps": True}, hash=str(h), skip=skip))

draws = []
for seed in (0, 1, 42, 2**40, 1234, 2**32 + 7):
    for calls in [[n] for n in range(1, 41)] + [[16384], [3, 5], [1, 16, 1], [17, 2, 31], [15, 15, 40, 1], [700, 1, 1, 1300]]:
        g = torch.Generator().manual_seed(seed)
        draws.append(dict(seed=seed, calls=calls, crc=[zlib.crc32(torch.randn(c, generator=g).numpy().tobytes()) for c in calls]))

out = dict(torch=torch.__version__, diffusers=diffusers.__version__, cases=cases, spacing=spacing, randn=draws)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.json"), "w") as f:
    f.write("{\n" + ",\n".join(json.dumps(k) + ": " + ("[\n" + ",\n".join(map(json.dumps, v)) + "]" if isinstance(v, list) else json.dumps(v)) for k, v in out.items()) + "}\n")
