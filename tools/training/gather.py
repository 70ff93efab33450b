"""Gather the passages to learn from, and questions about them that people wrote: python3 gather.py REPOSITORIES PACKAGES HELD OUT

REPOSITORIES holds bare clones named owner+name, PACKAGES unpacked Debian packages, HELD the texts that must not be learnt
(XQuAD and the evaluation's own prose): a passage that shares eight words in a row with one of them is left out, and so
is every article of SQuAD's development set. Sources and licences: models/nano-2/README.md. OUT gets passages.json (for
ask.py) and more.json (no generated questions).
"""
import glob
import gzip
import html
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter

M, PACKAGES, HELD, OUT = sys.argv[1:]
def blob(r,p):
    d=f'{M}/{r}/repo'; d=d+'/.git' if os.path.exists(d+'/.git') else d
    return subprocess.run(['git','-C',d,'cat-file','blob',f'HEAD:{p}'],capture_output=True).stdout
def grams(t,n=8):
    w=re.findall(r'\w+',t.lower()); return {' '.join(w[i:i+n]) for i in range(len(w)-n+1)}
X=set()
for path in glob.glob(HELD+'/*'):
    held=open(path,encoding='utf8').read()
    for text in [p['context'] for a in json.loads(held) for p in a['paragraphs']] if path.endswith('.json') else [held]: X|=grams(text)
DEV=set('super bowl 50;warsaw;normans;nikola tesla;computational complexity theory;teacher;martin luther;southern california;sky (united kingdom);victoria (australia);huguenot;steam engine;oxygen;1973 oil crisis;european union law;amazon rainforest;ctenophora;fresno, california;packet switching;black death;geology;pharmacy;newcastle upon tyne;victoria and albert museum;american broadcasting company;genghis khan;apollo program;kenya;intergovernmental panel on climate change;chloroplast;prime number;rhine;scottish parliament;islamism;imperialism;harvard university;jacksonville, florida;economic inequality;doctor who;university of chicago;yuan dynasty;immune system;civil disobedience;construction;private school;force;united methodist church;french and indian war'.split(';'))
out=[]; seen=set(); dropped=0
def norm(t):
    for a,b in (('“','"'),('”','"'),('’',"'"),('‘',"'"),('``','"'),("''",'"'),('\u00a0',' '),('\ufeff','')): t=t.replace(a,b)
    return re.sub(r'[ \t]+',' ',t).strip()
def add(src,title,text,qas=()):
    global dropped
    t=norm(text)
    if title.lower().replace('_',' ') in DEV or grams(t)&X: dropped+=1; return
    q2=[]
    for q,ans in qas:
        q=norm(q); ans=[norm(a) for a in ans]; ans=[a for a in ans if a and a in t]
        if q and ans: q2.append([q,list(dict.fromkeys(ans))])
    out.append(dict(src=src,title=title,text=t,qas=q2))
def squad(src,d):
    for a in d:
        for p in a['paragraphs']:
            add(src,a.get('title',''),p['context'],[(q['question'],[v['text'] for v in q['answers']]) for q in p['qas']])
d=json.loads(blob('tomhosking+squad-du-split','test-v1.1.json'))
squad('squad',d if isinstance(d,list) else d['data'])
for p in json.loads(blob('EmptyCityJK+flan-response-evaluator','data/squad/train.json')):
    add('squad2','',p['context'],[(q['question'],[q['answer']]) for q in p['qas']])
for s in ('new_wiki','reddit','amazon_reviews'):
    squad(s,json.loads(blob('modestyachts+squadshifts-website',f'datasets/{s}_v1.0.json'))['data'])
for s in ('test','dev'):
    squad('policy',json.loads(blob('wasiahmad+PolicyQA',f'data/{s}.json'))['data'])
c=json.loads(blob('deepset-ai+COVID-QA','data/question-answering/200423_covidQA.json'))['data']
for a in c:
    for p in a['paragraphs']:
        ctx=p['context']
        for q in p['qas']:
            for an in q['answers'][:1]:
                s=an['answer_start']; lo=max(0,s-random.Random(s).randint(200,1200)); hi=min(len(ctx),s+len(an['text'])+random.Random(s+1).randint(200,1200))
                lo=ctx.find(' ',lo) if lo else 0
                add('covid','covid%d'%s,ctx[lo:hi],[(q['question'],[an['text']])])
for l in gzip.decompress(blob('nelson-liu+lost-in-the-middle','qa_data/nq-open-oracle.jsonl.gz')).decode().splitlines():
    d=json.loads(l); g=d['nq_annotated_gold']
    t=d['ctxs'][0]['text']; la=g['long_answer']
    t=la if 80<len(la)<2500 else t
    add('nq',g['title'],t,[(d['question'],d['answers']+g.get('short_answers',[]))])
for l in blob('google-research-datasets+QED','qed-dev.jsonlines').decode().splitlines():
    d=json.loads(l); add('qed',d['title_text'],re.sub(r' ([,.;:)])',r'\1',d['paragraph_text']).replace('( ','(').replace(" 's","'s"),[(d['question_text'],[re.sub(r' ([,.;:)])',r'\1',v['string']) for a in d['original_nq_answers'] for v in a])])
for s in ('test','dev'):
    for b in blob('uwnlp+qamr',f'data/readable/{s}.tsv').decode().split('\n\n'):
        L=[l for l in b.split('\n') if l]
        if len(L)<3: continue
        qs=[]
        for l in L[2:]:
            q,r=l[:50].strip(),l[50:].split('\t'); r=[v.strip().rstrip('.') for v in r if v.strip()]
            if len(q)<50 and q.endswith('?') and r: qs.append((q,r))
        add('qamr',L[0],L[1],qs)
for f,k in (('hotpotqa_train',0),('musique_train',0)):
    for d in json.loads(blob('yhshu+HippoRAG',f'data/{f}.json')):
        if 'context' in d:
            ps=[(t,''.join(s)) for t,s in d['context']]; ans=[d.get('answer','')]
        else:
            ps=[(p['title'],p['paragraph_text']) for p in d['paragraphs']]; ans=[d['answer']]+d.get('answer_aliases',[])
        if d is not None:
            for t,s in ps: add('hop',t,s)
for d in json.loads(blob('yhshu+HippoRAG','data/2wikimultihopqa_corpus.json')): add('hop',d['title'],d['text'])
for s in ('test','dev'):
    d=json.loads(blob('emorynlp+selqa',f'ass/selqa-ass-{s}.json'))
    for e in d:
        add('selqa',e['article'],' '.join(e['candidates']),[(e['question'],[norm(e['candidates'][i]) for i in e['answers'] if i<len(e['candidates'])])])
k=json.loads(blob('KOU-201270+model-selection','data/squad/train.json'))
for q,a in zip(k['questions'],k['answers']): add('reqa','',a,[(q,[norm(a)])])
# deduplicate identical texts (merge questions)
by={}
for o in out:
    key=(o['src'] if o['src'] in('qamr','reqa','selqa') else 'p',o['text'])
    if key in by: by[key]['qas']+= [q for q in o['qas'] if q not in by[key]['qas']]
    else: by[key]=o
out=list(by.values())
n=Counter(); q=Counter(); ch=Counter()
for o in out: n[o['src']]+=1; q[o['src']]+=len(o['qas']); ch[o['src']]+=len(o['text'])
for s in n: print(s,n[s],q[s],ch[s])
print('dropped',dropped)
first,out=out,[]
random.seed(5)
def passages(src,title,paras,lo=350,hi=1100):
    cur=''
    for p in paras:
        p=norm(p)
        if len(p)<40 or p.isupper(): continue
        if len(cur)+len(p)>hi and len(cur)>=lo:
            out.append(dict(src=src,title=title,text=cur,qas=[])); cur=''
        cur=(cur+' '+p).strip() if len(p)<hi else ''
    if len(cur)>=lo: out.append(dict(src=src,title=title,text=cur,qas=[]))
def htmlparas(t):
    t=re.sub(r'(?s)<(script|style|pre|head)\b.*?</\1>',' ',t)
    return [html.unescape(re.sub(r'<[^>]+>','',m)) for m in re.findall(r'(?s)<p\b[^>]*>(.*?)</p>',t)]
R=PACKAGES+'/'
def folder(src,pat,limit):
    fs=sorted(glob.glob(R+pat,recursive=True)); random.shuffle(fs); n=0
    for f in fs:
        b=open(f,'rb').read().decode('utf8','replace'); a=len(out); passages(src,os.path.basename(f),htmlparas(b)); n+=sum(len(o['text']) for o in out[a:])
        if n>limit: break
    print(src,n)
folder('anarchism','anarchism/**/*.html',900_000)
folder('handbook','debian-handbook/**/en-US/*.html',900_000)
folder('handbook','debian-handbook/**/*.en.html',900_000)
folder('gimp','gimp-help-en/**/*.html',500_000)
folder('python','python3.11-doc/**/*.html',700_000)
folder('stellarium','stellarium-data/**/*.en.utf8',500_000)
B=f'{M}/rcdm-uga+Gutenberg_Text/repo'
ls=subprocess.run(['git','-C',B,'ls-tree','-r','-z','HEAD'],capture_output=True).stdout.split(b'\0')
want=re.compile(rb"History of|Short History|Origin of Species|Voyage of the Beagle|Descent of Man|Life of|Lives of|Astoria|Conquest of|Companions of Columbus|French Revolution|Roughing It|Following the Equator|Innocents Abroad|Travels|Outline of History|Autobiography|American Notes|Guide|Science|Cyclop|Dictionary|Handbook|Geograph|Earthworms|Coral Reefs|Expression of the Emotions",re.I)
bad=re.compile(rb"Quixote|Henry Esmond|Tom Jones|Pendennis|Devil|Romance|Balzac|Dor",re.I)
fs=[e.split(b'\t',1) for e in ls if e]; fs=[(m.split()[2].decode(),p) for m,p in fs if want.search(p) and not bad.search(p)]
random.shuffle(fs); n=0
for sha,p in fs:
    t=subprocess.run(['git','-C',B,'cat-file','blob',sha],capture_output=True).stdout.decode('utf8','replace').replace('\r','')
    if len(t)<60000: continue
    t=t[4000:-20000]; paras=[q for q in re.split(r'\n\s*\n',t) if 'utenberg' not in q]
    a=len(out); passages('nonfiction',p.decode('utf8','replace'),paras); k=sum(len(o['text']) for o in out[a:])
    if k>250_000: # a slice of each book
        s=random.randrange(a,len(out)-1); del out[a:]; passages('nonfiction',p.decode('utf8','replace'),paras[len(paras)//3:len(paras)//3+160]); k=sum(len(o['text']) for o in out[a:])
    n+=k
    if n>4_000_000: break
print('nonfiction',n)
# the World Factbook: field and value
F=f'{M}/factbook+factbook.json/repo'
nf=0
for e in subprocess.run(['git','-C',F,'ls-tree','-r','-z','HEAD'],capture_output=True).stdout.split(b'\0'):
    if not e: continue
    m,p=e.split(b'\t',1)
    if not p.endswith(b'.json') or p.count(b'/')!=1 or p.startswith(b'meta'): continue
    try: d=json.loads(subprocess.run(['git','-C',F,'cat-file','blob',m.split()[2].decode()],capture_output=True).stdout)
    except Exception: continue
    try: name=d['Government']['Country name']['conventional short form']['text']
    except Exception: continue
    if name in('none','N/A') or name.lower() in DEV: continue
    facts=[]
    def walk(o,path):
        if isinstance(o,dict):
            if 'text' in o and isinstance(o['text'],str):
                v=norm(re.sub(r'<[^>]+>',' ',html.unescape(o['text'])))
                if 2<len(v)<400: facts.append((path,v))
            for k,v in o.items():
                if k!='text': walk(v,path+[k])
    walk(d,[])
    for i in range(0,len(facts),9):
        ch=facts[i:i+9]; style=random.random(); qs=[]; lines=[]
        for path,v in ch:
            key=path[-1]; par=path[-2] if len(path)>2 else ''
            field=key if key.lower() not in('note','total') and len(path)<3 else (par+', '+key).lower()
            field=re.sub(r'\s*\(.*?\)','',field); field=field[:1].lower()+field[1:]
            ans=re.split(r'[;(]| note:',v)[0].strip()
            lines.append((f'The {field} of {name} is {v}.' if style<.3 else f'{field[:1].upper()+field[1:]}: {v}'))
            if 1<len(ans)<70: qs.append([random.choice([f'What is the {field} of {name}?',f"What is {name}'s {field}?",f'{name}: {field}?',f'What does the text give as the {field}?',f'Give the {field} of {name}.']),[ans]])
        t=norm((name+'. ' if style>=.3 else '')+' '.join(lines)) if style<.6 else name+'\n'+'\n'.join(lines)
        out.append(dict(src='factbook',title=name,text=t,qas=[q for q in qs if q[1][0] in t])); nf+=1
print('factbook',nf)
out=[o for o in out if not grams(o['text'])&X]
fields=[o for o in out if o['src']=='factbook']; rest=[o for o in out if o['src']!='factbook']
random.shuffle(fields); random.shuffle(rest)
order=['squad','new_wiki','squad2','nq','hop','qed','selqa','reqa','covid','reddit','amazon_reviews','policy','qamr']
first.sort(key=lambda o:order.index(o['src']))
json.dump(first+rest[:3000],open(OUT+'/passages.json','w'))
json.dump(rest[3000:5500]+fields[:4000],open(OUT+'/more.json','w'))
