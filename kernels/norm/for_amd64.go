package norm

import (
	"syntic/kernels/elem"
	"syntic/kernels/isa"
)

// For returns the functions for a level that this machine supports.
func For(l isa.Level) *Kernel {
	k := portable(elem.For(l))
	switch l {
	case isa.AVX2:
		k.deviations, k.normalize = deviationsAVX2, normalizeAVX2
		k.expSum, k.expTotal, k.softmaxRows = expSumAVX2, expTotalAVX2, softmaxRowsAVX2
		k.columnSums, k.columnDeviations = columnSumsAVX2, columnDeviationsAVX2
	case isa.AVX512:
		k.deviations, k.normalize = deviationsAVX512, normalizeAVX512
		k.expSum, k.expTotal, k.softmaxRows = expSumAVX512, expTotalAVX512, softmaxRowsAVX512
		k.columnSums, k.columnDeviations = columnSumsAVX512, columnDeviationsAVX512
	}
	return k
}
