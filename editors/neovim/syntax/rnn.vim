" Colours of .rnn files. With the language server's tokens (Neovim 0.9 and later) names are told apart too.
if exists("b:current_syntax")
  finish
endif

syntax iskeyword @,48-57,_,192-255,'
syntax match rnnComment /#.*$/
syntax match rnnDoc /##.*$/
syntax region rnnString start=/"/ skip=/\\./ end=/"\|$/
syntax match rnnNumber /\<\d\+\(\.\d\+\)\?\([eE][+-]\?\d\+\)\?\>/
syntax match rnnItem /^\(use\|cell\|layer\|model\|fn\|layout\|test\|check\)\>/
syntax match rnnStatement /\(^\s\+\|[{;]\s*\)\@<=\(in\|mem\|state\|param\|noise\|dim\|part\|at\|out\|loss\|metric\|generate\|data\|train\|set\|expect\)\>\ze\s*\([^ \t=]\|$\)/
syntax keyword rnnWord if then else and or not in mod div
syntax keyword rnnConstant true false
syntax keyword rnnOther over with within where per for from until of prev next leaf grad snapshot weights
syntax keyword rnnType chain grid tree seq id bool real
syntax keyword rnnFold sum prod mean concat
syntax match rnnOperator /[-+*/@^=<>~|⊙·−∑∏∈≤≥≠≈±²³ᵀ]/

highlight default link rnnComment Comment
highlight default link rnnDoc SpecialComment
highlight default link rnnString String
highlight default link rnnNumber Number
highlight default link rnnItem Keyword
highlight default link rnnStatement Statement
highlight default link rnnWord Conditional
highlight default link rnnConstant Boolean
highlight default link rnnOther Keyword
highlight default link rnnType Type
highlight default link rnnFold Repeat
highlight default link rnnOperator Operator

let b:current_syntax = "rnn"
