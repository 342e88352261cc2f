package narrow

import "syntic/kernels/isa"

//go:noescape
func productAMXBF16(t *block)

//go:noescape
func productAVX512BF16(t *block)

//go:noescape
func productAVX512VNNI(t *block)

//go:noescape
func quantiseAVX512(t *quantise)

func (k *Kernel) quantise(t *quantise) {
	switch k.with {
	case isa.AVX512VNNI:
		quantiseAVX512(t)
	}
}

// product calls the micro-kernel. A switch, not a function value: an argument
// of an indirect call escapes to the heap.
func (k *Kernel) product(t *block) {
	switch k.with {
	case isa.AMXBF16:
		productAMXBF16(t)
	case isa.AVX512BF16:
		productAVX512BF16(t)
	case isa.AVX512VNNI:
		productAVX512VNNI(t)
	}
}

//go:noescape
func attendAMXBF16(t *attend)

func (k *Kernel) attend(t *attend) {
	switch k.with {
	case isa.AMXBF16:
		attendAMXBF16(t)
	}
}
